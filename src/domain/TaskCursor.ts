import { Schema } from "effect"

/** A task's place in the list, newest first: `position` orders tasks of the same instant. */
export const TaskCursor = Schema.Struct({ createdAt: Schema.DateTimeUtc, position: Schema.BigInt })
export interface TaskCursor extends Schema.Schema.Type<typeof TaskCursor> {}
