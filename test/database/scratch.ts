import { Effect, Redacted } from "effect"
import { NodeRuntime } from "@effect/platform-node"
import * as EmbeddedPostgres from "../../src/database/EmbeddedPostgres.ts"
const dir = process.argv[2] ?? "/tmp/dbt/data"
const t = performance.now()
Effect.gen(function* () {
  const pg = yield* EmbeddedPostgres.make({ dataDir: dir, database: "bytebot" })
  yield* Effect.log(`up after ${Math.round(performance.now() - t)} ms ${Redacted.value(pg.url)}`)
  if (process.argv[3] === "hold") yield* Effect.never
}).pipe(Effect.scoped, Effect.tap(() => Effect.log(`down after ${Math.round(performance.now() - t)}`)), NodeRuntime.runMain)
