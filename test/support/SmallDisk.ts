import { spawnSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"

/** A file system of its own, in memory. */
export interface SmallDisk {
  readonly folder: string
  /** Leaves not a byte free. */
  readonly fill: Effect.Effect<void>
  /** Undoes `fill`. */
  readonly free: Effect.Effect<void>
  /** Mounts it anew: `ro`, `rw`, `size=200m`. */
  readonly remount: (options: string) => Effect.Effect<void>
}

const mount = (...args: ReadonlyArray<string>): boolean => spawnSync("mount", args, { stdio: "ignore" }).status === 0

const make = (size: string) => {
  const folder = mkdtempSync(join(tmpdir(), "bytebot-disk-"))
  return { folder, isMounted: mount("-t", "tmpfs", "-o", `size=${size},mode=0755`, "none", folder) }
}

const unmount = (folder: string) => {
  spawnSync("umount", ["--lazy", folder], { stdio: "ignore" })
  rmSync(folder, { recursive: true, force: true })
}

/** Whether this process may mount file systems: root, where no container keeps it from that. */
export const canMount: boolean = (() => {
  const { folder, isMounted } = make("64k")
  unmount(folder)
  return isMounted
})()

const fillUp = (file: string) => {
  const descriptor = openSync(file, "w")
  try {
    for (const bytes of [1 << 20, 1 << 12, 1]) {
      try {
        for (;;) writeSync(descriptor, Buffer.alloc(bytes))
      } catch {}
    }
  } finally {
    closeSync(descriptor)
  }
}

/** A disk of that size (`20m`) until the scope closes. */
export const smallDisk = (size: string) =>
  Effect.acquireRelease(
    Effect.sync(() => make(size).folder),
    (folder) => Effect.sync(() => unmount(folder))
  ).pipe(
    Effect.map((folder): SmallDisk => {
      const filler = join(folder, "filler")
      return {
        folder,
        fill: Effect.sync(() => fillUp(filler)),
        free: Effect.sync(() => rmSync(filler)),
        remount: (options) =>
          Effect.sync(() => {
            if (!mount("-o", `remount,${options}`, folder)) throw new Error(`cannot mount with ${options}`)
          })
      }
    })
  )
