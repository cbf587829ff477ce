import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { Settings } from "../config/Settings.ts"
import { awaitDatabase, commandLayer } from "../database/DatabaseConnection.ts"
import { findServer } from "../database/DatabaseServer.ts"
import { openDump, restoreDump } from "../database/dump/RestoreDump.ts"
import { runCommand } from "../RunMain.ts"
import { readArguments, UsageInvalid } from "./Arguments.ts"
import { logLayer, say, sayCounts } from "./Output.ts"

/** `npm run db:restore FILE`: the data of a dump, into a database without any, which is created if need be. No service may run on it. */

const usage =
  "npm run db:restore FILE, or with --replace, which deletes the rows that are there: npm run db:restore -- --replace FILE"

const restore = Effect.gen(function* () {
  const { flags, words } = yield* readArguments(usage, ["replace"])
  const [file, ...more] = words
  if (file === undefined || more.length > 0) {
    return yield* new UsageInvalid({ problem: "It takes the name of one file.", usage })
  }
  const settings = yield* Settings
  const opened = yield* openDump(file)
  const { place, server } = yield* findServer(settings)
  yield* awaitDatabase(server, settings)
  const counts = yield* restoreDump(opened, { database: place, replace: flags.has("replace") }).pipe(
    Effect.provide(commandLayer(server, settings))
  )
  yield* say(`The database (${place}) has all data of ${file}. Rows:`)
  yield* sayCounts(counts)
})

runCommand(restore.pipe(Effect.scoped, Effect.provide(Layer.mergeAll(Settings.layer, NodeServices.layer, logLayer))))
