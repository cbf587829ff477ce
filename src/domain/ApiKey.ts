import { Schema } from "effect"
import { Instant } from "./Task.ts"

/** A key with which a machine calls on behalf of a user. The key itself is shown once, and not kept: `start` is how it begins. */
export const ApiKey = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  start: Schema.String,
  createdAt: Instant,
  expiresAt: Schema.NullOr(Instant),
  lastUsedAt: Schema.NullOr(Instant)
})
export interface ApiKey extends Schema.Schema.Type<typeof ApiKey> {}

/** A key that was made just now, with the key itself. */
export const NewApiKey = Schema.Struct({ ...ApiKey.fields, key: Schema.String })
export interface NewApiKey extends Schema.Schema.Type<typeof NewApiKey> {}
