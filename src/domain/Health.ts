import { Schema } from "effect"

/** Connections to the database: `waiting` counts those who wait for one. */
export const PoolStats = Schema.Struct({
  max: Schema.Int,
  size: Schema.Int,
  idle: Schema.Int,
  waiting: Schema.Int
})

/** A migration that the database has; UTC. */
export const AppliedMigration = Schema.Struct({ name: Schema.String, applied_at: Schema.DateTimeUtcFromString })

/** How the database is; keys as in the Rust version (docs/contract/rest.md). Null where it is not known while the database is away. */
export const DatabaseHealth = Schema.Struct({
  connected: Schema.Boolean,
  error: Schema.NullOr(Schema.String),
  round_trip_ms: Schema.NullOr(Schema.Finite),
  pool_stats: Schema.NullOr(PoolStats),
  migrations: Schema.NullOr(
    Schema.Struct({
      applied: Schema.Int,
      pending: Schema.Array(Schema.String),
      last: Schema.NullOr(AppliedMigration)
    })
  )
})
export interface DatabaseHealth extends Schema.Schema.Type<typeof DatabaseHealth> {}
