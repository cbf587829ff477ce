import { DateTime, Effect, Schema } from "effect"
import type { SettingsValues } from "../config/Settings.ts"
import { awaitDatabase, commandLayer, unhurriedLayer } from "../database/DatabaseConnection.ts"
import { findServer, findServerWithData } from "../database/DatabaseServer.ts"
import { migrationStatus } from "../database/MigrationStatus.ts"
import { migrate } from "../database/Migrator.ts"
import { recogniseSchema } from "../database/SchemaState.ts"
import { say } from "./Output.ts"

/** Not a failure of the command, but what a script wants to know. */
class MigrationsPending extends Schema.TaggedError<MigrationsPending>()("MigrationsPending", {
  pending: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `Pending: ${this.pending.length}. Apply with: npm run migrate -- up`
  }
}

/** What a look at the database shows; `adopts` names the state of the original's database that `up` would take over. */
const look = Effect.gen(function* () {
  const { applied, pending } = yield* migrationStatus
  const state = applied.length === 0 ? yield* recogniseSchema : undefined
  return { applied, pending, adopts: state?._tag === "Original" ? state.migration : null }
})

/** Shows which migrations the database has, and changes nothing; fails with MigrationsPending where it lacks some. */
export const status = Effect.fnUntraced(function* (settings: SettingsValues, asJson: boolean) {
  const { place, server } = yield* findServerWithData(settings)
  const found = yield* look.pipe(Effect.provide(commandLayer(server, settings)))
  if (asJson) {
    const applied = found.applied.map(({ appliedAt, name }) => ({ name, appliedAt: DateTime.formatIso(appliedAt) }))
    yield* say(JSON.stringify({ ...found, applied }))
  } else {
    yield* say(`The database (${place}):`)
    if (found.adopts !== null) yield* say(`  is the original's, last changed by its ${found.adopts}; "up" adopts it`)
    yield* Effect.forEach(found.applied, ({ appliedAt, name }) =>
      say(`  applied  ${name}  ${DateTime.formatIso(appliedAt)}`)
    )
    yield* Effect.forEach(found.pending, (name) => say(`  pending  ${name}`))
    if (found.pending.length === 0) yield* say("  is up to date")
  }
  if (found.pending.length > 0) return yield* new MigrationsPending({ pending: found.pending })
})

/** Applies the migrations that the database lacks; the private server is made if need be. */
export const up = Effect.fnUntraced(function* (settings: SettingsValues, asJson: boolean) {
  const { place, server } = yield* Effect.catchTag(findServerWithData(settings), "NoPrivateData", () =>
    findServer(settings)
  )
  yield* awaitDatabase(server, settings)
  const { adopted, applied } = yield* Effect.provide(migrate, unhurriedLayer(server, settings))
  if (asJson) return yield* say(JSON.stringify({ applied, adopted }))
  if (adopted !== null) yield* say(`Adopted the original's database, last changed by its ${adopted}`)
  yield* Effect.forEach(applied, (name) => say(`Applied ${name}`))
  yield* say(`The database (${place}) is up to date`)
})
