#!/usr/bin/env node
// Runs the command line: from its bundle, or, in a checkout, from the sources where they are newer than the bundle.
import { spawn } from "node:child_process"
import { readdirSync, statSync } from "node:fs"
// Node 20 has no enableCompileCache: a named import of it would fail before the version is looked at.
import nodeModule from "node:module"
import { fileURLToPath } from "node:url"

const pathOf = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url))

/** When a file was changed; milliseconds, 0 if there is none. */
const changedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

/** The same of a folder, and of everything in it. */
const newestIn = (folder) =>
  readdirSync(folder, { recursive: true }).reduce(
    (newest, name) => Math.max(newest, changedAt(`${folder}/${name}`)),
    changedAt(folder)
  )

/** The package has no sources; its bundle is current. */
const isCheckout = changedAt(pathOf("src")) > 0
const inputs = () =>
  Math.max(
    newestIn(pathOf("src")),
    newestIn(pathOf("test/emulators")),
    changedAt(pathOf("package.json")),
    changedAt(pathOf("package-lock.json"))
  )
const runsBundle = () => !isCheckout || changedAt(pathOf("dist/service/cli.js")) > inputs()

/** A checkout has a newer Node as a development dependency. */
const ownNode = () => {
  try {
    return nodeModule
      .createRequire(import.meta.url)
      .resolve("node/package.json")
      .replace(/package\.json$/, "bin/node")
  } catch {
    return undefined
  }
}

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major > 22 || (major === 22 && minor >= 19)) {
  nodeModule.enableCompileCache(pathOf("dist/compiled"))
  await (runsBundle() ? import("../dist/service/cli.js") : import("../src/cli/main.ts"))
} else {
  const node = ownNode()
  if (node === undefined) {
    process.stderr.write(`bytebot-agent needs Node 22.19 or newer; this is ${process.versions.node}.\n`)
    process.exit(1)
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" })
  // Ctrl-C reaches both; this process waits for the other's exit code.
  process.on("SIGINT", () => undefined)
  process.on("SIGTERM", () => child.kill("SIGTERM"))
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)))
}
