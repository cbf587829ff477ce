import { spawn } from "node:child_process"
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import packageJson from "../package.json" with { type: "json" }
import { say } from "./report.ts"

/** Runs every script `bench:*` of package.json, one after the other; fails where one of them did. */

const run = (script: string) =>
  Effect.callback<boolean>((resume) => {
    const child = spawn("npm", ["run", "--silent", script], { stdio: ["ignore", "inherit", "inherit"] })
    child.once("exit", (code) => resume(Effect.succeed(code === 0)))
  })

const program = Effect.gen(function* () {
  const scripts = Object.keys(packageJson.scripts).filter((name) => name.startsWith("bench:"))
  const failed: Array<string> = []
  for (const script of scripts) {
    yield* say(`\n== ${script}`)
    if (!(yield* run(script))) failed.push(script)
  }
  if (failed.length > 0) return yield* Effect.die(new Error(`Failed: ${failed.join(", ")}`))
})

NodeRuntime.runMain(program)
