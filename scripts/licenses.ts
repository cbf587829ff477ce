import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"

/** The folder of the package that a module belongs to; undefined: it is the project's own. */
const packageOf = (module: string): string | undefined => {
  if (!module.includes("/node_modules/")) return undefined
  let folder = dirname(module)
  // Folders below a package may have a package.json of their own, which only says how their files are read.
  while (basename(folder) !== "node_modules") {
    const manifest = join(folder, "package.json")
    if (existsSync(manifest) && /"version":/.test(readFileSync(manifest, "utf8"))) return folder
    folder = dirname(folder)
  }
  return undefined
}

const noticeOf = (folder: string): string => {
  const manifest: { name: string; version: string; license?: unknown } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8")
  )
  const files = readdirSync(folder).filter((name) => /^(licen[sc]e|notice|copying)/i.test(name))
  const texts = files.map((name) => readFileSync(join(folder, name), "utf8").trim())
  return [`${manifest.name} ${manifest.version} (${String(manifest.license)})`, ...texts].join("\n\n")
}

/** The licences of all packages that these modules, by their paths, are from: most ask for their text to go along with copies. */
export const licenseNotices = (modules: ReadonlyArray<string>): string => {
  const folders = new Set(modules.flatMap((module) => packageOf(module) ?? []))
  return `${[...folders]
    .sort()
    .map(noticeOf)
    .join(`\n\n${"-".repeat(80)}\n\n`)}\n`
}
