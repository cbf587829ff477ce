import { DateTime, Effect, Schema } from "effect"
import { Settings } from "../config/Settings.ts"
import { awaitDatabase, commandLayer, unhurriedLayer } from "../database/DatabaseConnection.ts"
import { findServer, findServerWithData } from "../database/DatabaseServer.ts"
import { migrate, migrationStatus } from "../database/Migrator.ts"
import { recogniseSchema } from "../database/SchemaState.ts"
import { logLayer, print } from "./Output.ts"

/** Not a failure of the command, but what a script wants to know. */
class MigrationsPending extends Schema.TaggedError<MigrationsPending>()("MigrationsPending", {
  pending: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `Pending: ${this.pending.length}. Apply with: bytebot-agent migrate up`
  }
}

/** What a look at the database shows; `adopts` names the state of the original's database that `up` would take over. */
const look = Effect.gen(function* () {
  const { applied, pending } = yield* migrationStatus
  return { applied, pending, adopts: applied.length === 0 ? yield* recogniseSchema : null }
})

const forSettings = <A, E, R>(command: Effect.Effect<A, E, R>) =>
  command.pipe(Effect.scoped, Effect.provide(Settings.layer), Effect.provide(logLayer))

/** Shows which migrations the database has, and changes nothing; fails with MigrationsPending where it lacks some. */
export const status = Effect.fnUntraced(function* (asJson: boolean) {
  const settings = yield* Settings
  const { place, server } = yield* findServerWithData(settings)
  const found = yield* look.pipe(Effect.provide(commandLayer(server, settings)))
  if (asJson) {
    const applied = found.applied.map(({ appliedAt, name }) => ({ name, appliedAt: DateTime.formatIso(appliedAt) }))
    yield* print(JSON.stringify({ ...found, applied }))
  } else {
    yield* print(`The database (${place}):`)
    if (found.adopts !== null) yield* print(`  is the original's, last changed by its ${found.adopts}; "up" adopts it`)
    yield* Effect.forEach(found.applied, ({ appliedAt, name }) =>
      print(`  applied  ${name}  ${DateTime.formatIso(appliedAt)}`)
    )
    yield* Effect.forEach(found.pending, (name) => print(`  pending  ${name}`))
    if (found.pending.length === 0) yield* print("  is up to date")
  }
  if (found.pending.length > 0) return yield* new MigrationsPending({ pending: found.pending })
}, forSettings)

/** Applies the migrations that the database lacks; the private server is made if need be. */
export const up = Effect.fnUntraced(function* (asJson: boolean) {
  const settings = yield* Settings
  const { place, server } = yield* Effect.catchTag(findServerWithData(settings), "NoPrivateData", () =>
    findServer(settings)
  )
  yield* awaitDatabase(server, settings)
  const { adopted, applied } = yield* Effect.provide(migrate, unhurriedLayer(server, settings))
  if (asJson) return yield* print(JSON.stringify({ applied, adopted }))
  if (adopted !== null) yield* print(`Adopted the original's database, last changed by its ${adopted}`)
  yield* Effect.forEach(applied, (name) => print(`Applied ${name}`))
  yield* print(`The database (${place}) is up to date`)
}, forSettings)
