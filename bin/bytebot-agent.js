#!/usr/bin/env node
// Runs the command line with the Node that the service needs: this one, or else the project's own.
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url))
const [major = 0] = process.versions.node.split(".").map(Number)
if (major >= 24) await import("../src/cli/main.ts")
else {
  const node = createRequire(import.meta.url)
    .resolve("node/package.json")
    .replace(/package\.json$/, "bin/node")
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: "inherit" })
  // Ctrl-C reaches both; this process waits for what the other makes of it.
  process.on("SIGINT", () => undefined)
  process.on("SIGTERM", () => child.kill("SIGTERM"))
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)))
}
