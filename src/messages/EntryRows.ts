import { Effect, Schema } from "effect"
import { ContentBlock, text } from "../domain/ContentBlock.ts"
import type { Entry } from "../domain/Conversation.ts"
import { MessageId } from "../domain/Message.ts"
import { Role } from "../domain/Task.ts"

/** SQL: the columns and the tables of the rows that `decodeEntries` takes. */
export const entryColumns = `m."id", m."position", m."role", m."content", m."createdAt", c."provider", c."model", c."prefix", c."askedAt"`
export const entryTables = `"Message" m LEFT JOIN "ModelCall" c ON c."messageId" = m."id"`

const isBlock = Schema.is(ContentBlock)

/** The model is shown blocks that this service never wrote as the JSON they are. */
const blocksOf = (content: Schema.Json): ReadonlyArray<ContentBlock> =>
  (Array.isArray(content) ? content : [content]).map((block) => (isBlock(block) ? block : text(JSON.stringify(block))))

const InsertedRow = Schema.Struct({
  id: MessageId,
  position: Schema.BigInt,
  role: Role,
  createdAt: Schema.DateTimeUtcFromDate
})
export const decodeInserted = Schema.decodeUnknownEffect(InsertedRow)

const decodeRows = Schema.decodeUnknownEffect(
  Schema.Array(
    Schema.Struct({
      ...InsertedRow.fields,
      content: Schema.Json,
      provider: Schema.NullOr(Schema.String),
      model: Schema.NullOr(Schema.String),
      prefix: Schema.NullOr(Schema.String),
      askedAt: Schema.NullOr(Schema.DateTimeUtcFromDate)
    })
  )
)

export const decodeEntries = (rows: ReadonlyArray<unknown>) =>
  Effect.map(decodeRows(rows), (decoded) =>
    decoded.map(
      ({ askedAt, content, model, prefix, provider, ...row }): Entry => ({
        ...row,
        content: blocksOf(content),
        origin: provider === null || model === null ? null : { provider, model, prefix, askedAt }
      })
    )
  )
