import { Schema } from "effect"

/** What the model wrote of a conversation's older part; `parentId` is the summary it continues. */
export const Summary = Schema.Struct({
  id: Schema.String,
  content: Schema.String,
  createdAt: Schema.DateTimeUtcFromString,
  updatedAt: Schema.DateTimeUtcFromString,
  taskId: Schema.String,
  parentId: Schema.NullOr(Schema.String)
})
export interface Summary extends Schema.Schema.Type<typeof Summary> {}
