import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { instant, messageContent } from "../database/WireJson.ts"
import { FileNotFound, ImageNotFound } from "../domain/AttachmentErrors.ts"
import { Caller } from "../domain/Caller.ts"
import { imageAt } from "../domain/MessageImages.ts"
import { Summary } from "../domain/Summary.ts"
import type { TaskId } from "../domain/Task.ts"
import { TaskNotFound } from "../domain/TaskErrors.ts"
import { visibleTo } from "../tasks/Visibility.ts"
import { contentSize } from "./MessagePage.ts"

/** A picture of a message. */
export interface Picture {
  readonly bytes: Uint8Array
  readonly type: string
}

/** What belongs to a task and is read by itself: its files, the pictures of its messages, its summaries. */
export class Attachments extends Context.Service<Attachments>()("bytebot/Attachments", {
  make: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient

    return {
      /** The file, with the first `count` characters of its base64. */
      file: Effect.fn("Attachments.file")(function* (taskId: TaskId, fileId: string, count: number) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        // `textsend` gives the bytes of a text; `substring` of a text would count its characters from the start each time.
        const rows = yield* sql`
          SELECT f."name", f."type", octet_length(f."data") AS length, substring(d."bytes" FROM 1 FOR ${count}::int) AS start,
            convert_from(substring(d."bytes" FROM greatest(1, octet_length(f."data") - 3)), 'LATIN1') AS end
          FROM "File" f JOIN "Task" t ON t."id" = f."taskId" CROSS JOIN LATERAL (SELECT textsend(f."data") AS bytes OFFSET 0) d
          WHERE f."id" = ${fileId} AND t."id" = ${taskId} AND ${visibleTo(sql, yield* Caller, "t")}`
        if (rows[0] === undefined) return yield* new FileNotFound({ id: fileId })
        return yield* decodeFile(rows[0])
      }, repeatable),

      /** `count` characters of a file's base64 after the first `offset` ones. The caller has been given the file before. */
      filePiece: Effect.fn("Attachments.filePiece")(function* (fileId: string, offset: number, count: number) {
        const rows = yield* sql`
          SELECT substring(textsend("data") FROM ${offset + 1}::int FOR ${count}::int) AS piece FROM "File" WHERE "id" = ${fileId}`
        if (rows[0] === undefined) return yield* new FileNotFound({ id: fileId })
        return (yield* decodePiece(rows[0])).piece
      }, repeatable),

      /** The picture with this index, from 0, of a message of up to `room` bytes; of a larger message its size. */
      image: Effect.fn("Attachments.image")(function* (messageId: string, index: number, room: number) {
        const rows = yield* sql`
          SELECT s."size", CASE WHEN s."size" <= ${room}::bigint THEN ${sql.literal(messageContent("m"))} END AS content
          FROM "Message" m JOIN "Task" t ON t."id" = m."taskId" CROSS JOIN LATERAL (SELECT ${sql.literal(contentSize("m"))} AS size OFFSET 0) s
          WHERE m."id" = ${messageId} AND ${visibleTo(sql, yield* Caller, "t")}`
        if (rows[0] === undefined) return yield* new ImageNotFound({ id: messageId })
        const { content, size } = yield* decodeContent(rows[0])
        if (content === null) return { size }
        const found = imageAt(content, index)
        if (found === undefined) return yield* new ImageNotFound({ id: messageId })
        return { type: found.mediaType, bytes: Buffer.from(found.data, "base64") }
      }, repeatable),

      /** Oldest first. */
      summaries: Effect.fn("Attachments.summaries")(function* (taskId: TaskId) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        const rows = yield* sql`
          SELECT t."id" AS task, s."id", s."content", ${sql.literal(instant('s."createdAt"'))} AS "createdAt",
            ${sql.literal(instant('s."updatedAt"'))} AS "updatedAt", s."taskId", s."parentId"
          FROM "Task" t LEFT JOIN "Summary" s ON s."taskId" = t."id"
          WHERE t."id" = ${taskId} AND ${visibleTo(sql, yield* Caller, "t")} ORDER BY s."createdAt", s."id"`
        if (rows[0] === undefined) return yield* new TaskNotFound({ id: taskId })
        return yield* decodeSummaries(rows.filter(({ id }) => id !== null))
      }, repeatable)
    }
  })
}) {
  static readonly layer = Layer.effect(Attachments, Attachments.make)
}

/** A file and the beginning of its base64. */
const FileStart = Schema.Struct({
  name: Schema.String,
  /** As stored. */
  type: Schema.String,
  /** Characters of the base64. */
  length: Schema.Int,
  /** The first characters, in ASCII. */
  start: Schema.Uint8Array,
  /** The last four characters. */
  end: Schema.String
})
export type FileStart = typeof FileStart.Type

const decodeFile = Schema.decodeUnknownEffect(FileStart)
const decodePiece = Schema.decodeUnknownEffect(Schema.Struct({ piece: Schema.Uint8Array }))
const decodeContent = Schema.decodeUnknownEffect(
  Schema.Struct({ size: Schema.Int, content: Schema.NullOr(Schema.Array(Schema.Json)) })
)
const decodeSummaries = Schema.decodeUnknownEffect(Schema.Array(Summary))
