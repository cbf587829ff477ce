import { Schema } from "effect"

const Tokens = Schema.Int

/** Tokens of one call; `input` counts those read from and written to the provider's cache too. */
export const TokenCounts = Schema.Struct({
  input: Tokens,
  output: Tokens,
  cacheRead: Tokens,
  cacheWrite: Tokens
})
export interface TokenCounts extends Schema.Schema.Type<typeof TokenCounts> {}

/** One answered call of a model for a task; `cost` is in US dollars, null where the model's prices are not known. */
export const ModelCall = Schema.Struct({
  id: Schema.String,
  /** The stored reply; null for summaries, and for replies that came too late to be stored. */
  messageId: Schema.NullOr(Schema.String),
  purpose: Schema.Literals(["reply", "summary"]),
  provider: Schema.String,
  model: Schema.String,
  tokens: TokenCounts,
  cost: Schema.NullOr(Schema.Finite),
  durationMs: Schema.Int,
  createdAt: Schema.DateTimeUtcFromString
})
export interface ModelCall extends Schema.Schema.Type<typeof ModelCall> {}

/** What a task used so far, call by call, oldest first. `total.cost` leaves out the calls whose prices are not known. */
export const TaskUsage = Schema.Struct({
  calls: Schema.Array(ModelCall),
  total: Schema.Struct({
    calls: Schema.Int,
    tokens: TokenCounts,
    cost: Schema.NullOr(Schema.Finite),
    unpricedCalls: Schema.Int
  })
})
export interface TaskUsage extends Schema.Schema.Type<typeof TaskUsage> {}
