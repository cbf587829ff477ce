import * as NodeServices from "@effect/platform-node/NodeServices"
import { DateTime, Effect, Layer } from "effect"
import { Settings } from "../config/Settings.ts"
import { commandLayer } from "../database/DatabaseConnection.ts"
import { findServerWithData } from "../database/DatabaseServer.ts"
import { createDumpFile } from "../database/dump/DumpFile.ts"
import { writeDump } from "../database/dump/WriteDump.ts"
import { runCommand } from "../RunMain.ts"
import { readArguments, UsageInvalid } from "./Arguments.ts"
import { logLayer, say, sayCounts } from "./Output.ts"

/** `npm run db:dump [FILE]`: all data of the database, into a file. The service may run meanwhile. */

const usage = "npm run db:dump [FILE]"

/** bytebot-20261124T103000Z.sql */
const nameOf = (now: DateTime.DateTime): string =>
  `bytebot-${DateTime.formatIso(now).replaceAll(/[-:]|\.\d+/g, "")}.sql`

const dump = Effect.gen(function* () {
  const { words } = yield* readArguments(usage, [])
  const [name = nameOf(yield* DateTime.now), ...more] = words
  if (more.length > 0) return yield* new UsageInvalid({ problem: "It takes the name of one file.", usage })
  const settings = yield* Settings
  const target = yield* createDumpFile(name)
  const { place, server } = yield* findServerWithData(settings)
  const counts = yield* writeDump(place, target.write).pipe(Effect.provide(commandLayer(server, settings)))
  yield* target.finish
  yield* say(`${target.file} has all data of the database (${place}). Rows:`)
  yield* sayCounts(counts)
})

runCommand(dump.pipe(Effect.scoped, Effect.provide(Layer.mergeAll(Settings.layer, NodeServices.layer, logLayer))))
