import { delimiter } from "node:path"
import { Effect, FileSystem, Option, Path, type PlatformError } from "effect"
import { DataFolderUnusable } from "./EmbeddedPostgresErrors.ts"
import type { PostgresBinaries } from "./PostgresBinaries.ts"

/** As whom the server's programs run. */
export interface PostgresUser {
  /** Ids to switch to; none: the user of this process. */
  readonly ids: Option.Option<{ readonly uid: number; readonly gid: number }>
  /** A command (with arguments) that switches the user itself and runs the command behind it; empty: none needed. */
  readonly wrapper: ReadonlyArray<string>
}

const thisUser: PostgresUser = { ids: Option.none(), wrapper: [] }

/** Linux capabilities by their bit (capabilities(7)). */
const Capability = {
  chown: 1n << 0n,
  dac_override: 1n << 1n,
  dac_read_search: 1n << 2n,
  setgid: 1n << 6n,
  setuid: 1n << 7n,
  setpcap: 1n << 8n
}

/**
 * PostgreSQL refuses to run as root. An ordinary user runs it as itself; root runs it as the owner of the data, or as `postgres` or
 * `nobody` for new data. Where that user cannot get to the data or the binaries (a checkout under root's home), it keeps the one
 * capability to search and read folders, and `no_setuid_fixup`, without which access(2) would not count the capability.
 */
export const choosePostgresUser = Effect.fn("PostgresUser.choose")(function* (
  folder: string,
  cluster: string,
  binaries: PostgresBinaries
) {
  const fs = yield* FileSystem.FileSystem
  const owner = (yield* fs.exists(cluster)) ? (yield* fs.stat(cluster)).uid : Option.none()
  const myself = process.getuid?.()
  if (myself !== 0) {
    if (Option.isSome(owner) && myself !== undefined && owner.value !== myself) {
      return yield* new DataFolderUnusable({
        folder,
        reason: `The data in it belongs to the user with id ${owner.value}, but this process runs as ${myself}. Run it as that user, or as root.`
      })
    }
    return thisUser
  }
  const has = yield* capabilities
  if (!has("setuid") || !has("setgid") || !has("chown")) {
    return yield* new DataFolderUnusable({
      folder,
      reason:
        "PostgreSQL does not run as root, and this process, root without the usual capabilities, cannot switch to another user. " +
        "Run it as an ordinary user, or leave it the capabilities SETUID, SETGID and CHOWN."
    })
  }
  const ids = yield* unprivilegedIds(owner)
  const path = yield* Path.Path
  const libraries = path.join(binaries.root, "lib")
  const needed = [folder, binaries.root, libraries, binaries.postgres]
  const closed = yield* Effect.findFirst(yield* withParents(needed), (place) =>
    Effect.map(isOpenTo(place, ids), (open) => !open)
  )
  if (Option.isNone(closed)) return { ids: Option.some(ids), wrapper: [] }
  const wrapper = yield* capabilityWrapper(ids, has)
  if (Option.isNone(wrapper)) {
    return yield* new DataFolderUnusable({
      folder,
      reason:
        `PostgreSQL does not run as root, and the user it would run as (id ${ids.uid}) cannot open ${closed.value}. ` +
        "Run the service as an ordinary user, or install setpriv (package util-linux), " +
        "or move the service and its data to folders that every user can open."
    })
  }
  return { ids: Option.some(ids), wrapper: wrapper.value }
})

const unprivilegedIds = Effect.fn("PostgresUser.unprivilegedIds")(function* (owner: Option.Option<number>) {
  const fs = yield* FileSystem.FileSystem
  const passwd = yield* fs.readFileString("/etc/passwd").pipe(Effect.orElseSucceed(() => ""))
  const users = passwd.split("\n").flatMap((line) => {
    const [name, , uid, gid] = line.split(":")
    return name === undefined || uid === undefined || gid === undefined
      ? []
      : [{ name, uid: Number(uid), gid: Number(gid) }]
  })
  if (Option.isSome(owner) && owner.value !== 0) {
    const gid = users.find((user) => user.uid === owner.value)?.gid ?? owner.value
    return { uid: owner.value, gid }
  }
  const user = users.find(({ name }) => name === "postgres") ?? users.find(({ name }) => name === "nobody")
  return { uid: user?.uid ?? 65534, gid: user?.gid ?? 65534 }
})

const withParents = Effect.fn("PostgresUser.withParents")(function* (places: ReadonlyArray<string>) {
  const path = yield* Path.Path
  const all = new Set<string>()
  for (const place of places) {
    for (let at = place; !all.has(at); at = path.dirname(at)) all.add(at)
  }
  return [...all]
})

const isOpenTo = (
  place: string,
  ids: { readonly uid: number; readonly gid: number }
): Effect.Effect<boolean, PlatformError.PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const info = yield* fs.stat(place)
    const shift = Option.contains(info.uid, ids.uid) ? 6 : Option.contains(info.gid, ids.gid) ? 3 : 0
    // Folders on the way need x; what is read (files, the libraries' folder) needs r besides.
    const wanted = info.type === "Directory" ? 0o1 : 0o5
    return ((info.mode >> shift) & wanted) === wanted
  })

/** Which capabilities this process has; all where the system knows none. */
const capabilities = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const status = yield* fs.readFileString("/proc/self/status").pipe(Effect.orElseSucceed(() => ""))
  const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  const effective = digits === undefined ? -1n : BigInt(`0x${digits}`)
  return (capability: keyof typeof Capability): boolean => (effective & Capability[capability]) !== 0n
})

const capabilityWrapper = Effect.fn("PostgresUser.capabilityWrapper")(function* (
  ids: { readonly uid: number; readonly gid: number },
  has: (capability: keyof typeof Capability) => boolean
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folders = (process.env.PATH ?? "/usr/bin:/bin").split(delimiter)
  const setpriv = yield* Effect.findFirst(
    folders.map((folder) => path.join(folder, "setpriv")),
    (file) => fs.exists(file)
  )
  const capability = has("dac_read_search") ? "dac_read_search" : has("dac_override") ? "dac_override" : undefined
  if (Option.isNone(setpriv) || capability === undefined || !has("setpcap")) return Option.none()
  return Option.some([
    setpriv.value,
    `--reuid=${ids.uid}`,
    `--regid=${ids.gid}`,
    "--clear-groups",
    "--securebits=+no_setuid_fixup",
    `--inh-caps=-all,+${capability}`,
    `--ambient-caps=-all,+${capability}`,
    `--bounding-set=-all,+${capability}`,
    "--"
  ])
})
