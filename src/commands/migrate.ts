import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { Settings } from "../config/Settings.ts"
import { runCommand } from "../RunMain.ts"
import { readArguments, UsageInvalid } from "./Arguments.ts"
import { status, up } from "./Migrations.ts"
import { logLayer } from "./Output.ts"

/**
 * `npm run migrate -- status` shows which migrations the database has, and changes nothing; `npm run migrate -- up` applies those that
 * it lacks. Exit code 0: the database is up to date (now). 1: it is not, or something failed.
 */

const usage = "npm run migrate -- status [--json], or npm run migrate -- up [--json]"

const program = Effect.gen(function* () {
  const { flags, words } = yield* readArguments(usage, ["json"])
  const [command, ...more] = words
  if (more.length > 0 || (command !== "status" && command !== "up")) {
    return yield* new UsageInvalid({ problem: "Say what to do: status or up.", usage })
  }
  const settings = yield* Settings
  yield* (command === "status" ? status : up)(settings, flags.has("json"))
})

runCommand(program.pipe(Effect.scoped, Effect.provide(Layer.mergeAll(Settings.layer, NodeServices.layer, logLayer))))
