import { posix } from "node:path"

/** The daemon's files: kept in memory, with the answers and the odd behaviour of the real one (docs/contract/desktop.md). */

export type WriteAnswer = { readonly success: boolean; readonly message: string }
export type ReadAnswer =
  | {
      readonly success: true
      readonly data: string
      readonly name: string
      readonly size: number
      readonly mediaType: string
    }
  | { readonly success: false; readonly message: string }

const home = "/home/user/Desktop"

const mediaTypes: Readonly<Record<string, string>> = {
  ".txt": "text/plain",
  ".md": "text/markdown",
  ".csv": "text/csv",
  ".html": "text/html",
  ".json": "application/json",
  ".xml": "application/xml",
  ".pdf": "application/pdf",
  ".zip": "application/zip",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp"
}

const temporary = (kind: string): string =>
  `/tmp/bytebot_${kind}_${Date.now()}_${Math.random().toString(36).slice(2, 8)}`

export class DesktopFiles {
  /** Contents by absolute path. */
  readonly contents = new Map<string, Buffer>()
  readonly #directories = new Set(["/", "/home", "/home/user", home])
  /** Paths with characters that the daemon's shell would interpret. A correct client sends none. */
  readonly hazards: Array<string> = []
  /** Directories that a write_file was aimed at; on the real daemon they are unusable afterwards. */
  readonly brokenDirectories: Array<string> = []

  /** Decodes like the daemon: whatever is not base64 is skipped. */
  write(path: string, data: string): WriteAnswer {
    const target = this.#resolve(path)
    const failed = (problem: string): WriteAnswer => ({
      success: false,
      message: `Error writing file: Command failed: sudo cp "${temporary("temp")}" "${target}"\n${problem}`
    })
    if (this.#isHazard(path)) return failed("/bin/sh: 1: Syntax error: Unterminated quoted string\n")
    if (this.#directories.has(target)) this.brokenDirectories.push(target)
    else {
      const parents = this.#parents(target)
      if (parents.some((parent) => this.contents.has(parent))) {
        return failed(`cp: cannot stat '${target}': Not a directory\n`)
      }
      for (const parent of parents) this.#directories.add(parent)
      this.contents.set(target, Buffer.from(data, "base64"))
    }
    return { success: true, message: `File written successfully to: ${target}` }
  }

  read(path: string): ReadAnswer {
    const target = this.#resolve(path)
    const failed = (problem: string): ReadAnswer => ({
      success: false,
      message: `Error reading file: Command failed: sudo cp "${target}" "${temporary("read")}"\n${problem}`
    })
    if (this.#isHazard(path)) return failed("/bin/sh: 1: Syntax error: Unterminated quoted string\n")
    if (this.#directories.has(target)) return failed(`cp: -r not specified; omitting directory '${target}'\n`)
    const content = this.contents.get(target)
    if (content === undefined) return failed(`cp: cannot stat '${target}': No such file or directory\n`)
    return {
      success: true,
      data: content.toString("base64"),
      name: posix.basename(target),
      size: content.length,
      mediaType: mediaTypes[posix.extname(target).toLowerCase()] ?? "application/octet-stream"
    }
  }

  #resolve(path: string): string {
    return posix.resolve(home, path)
  }

  #isHazard(path: string): boolean {
    const hazard = /["$`\n]/.test(path)
    if (hazard) this.hazards.push(path)
    return hazard
  }

  #parents(path: string): ReadonlyArray<string> {
    const parent = posix.dirname(path)
    return parent === path ? [] : [...this.#parents(parent), parent]
  }
}
