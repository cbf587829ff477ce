import { NodeRuntime } from "@effect/platform-node"
import { Effect, Redacted } from "effect"
import * as EmbeddedPostgres from "../../src/database/EmbeddedPostgres.ts"

/** `node holdServer.ts FOLDER`: runs a private server until told to stop; writes its URL, or why there is none, to stdout. */
const folder = process.argv[2] ?? ""

const write = (text: string) => Effect.sync(() => process.stdout.write(`${text}\n`))

EmbeddedPostgres.make({ dataDir: folder, database: "postgres" }).pipe(
  Effect.tapError((error) => write(`${error._tag}: ${error.message}`)),
  Effect.flatMap(({ url }) => write(Redacted.value(url))),
  Effect.andThen(Effect.never),
  Effect.scoped,
  NodeRuntime.runMain({ disableErrorReporting: true })
)
