import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { repeatable } from "../database/DatabaseRetry.ts"
import { instant, messageContent } from "../database/WireJson.ts"
import { FileNotFound, ImageNotFound } from "../domain/AttachmentErrors.ts"
import { Caller } from "../domain/Caller.ts"
import { Summary } from "../domain/Summary.ts"
import type { TaskId } from "../domain/Task.ts"
import { type DatabaseUnavailable, TaskNotFound } from "../domain/TaskErrors.ts"
import { visibleTo } from "../tasks/Visibility.ts"
import { imageAt } from "./Images.ts"

/** Bytes of an attachment; `type` is what whoever stored it says. */
export interface Attachment {
  readonly bytes: Uint8Array
  readonly type: string
  readonly name: string
}

/** What belongs to a task and is read by itself: its files, the pictures of its messages, its summaries. */
export class Attachments extends Context.Service<
  Attachments,
  {
    readonly file: (
      taskId: TaskId,
      fileId: string
    ) => Effect.Effect<Attachment, FileNotFound | DatabaseUnavailable, Caller>
    /** `index` counts the message's pictures from 0. */
    readonly image: (
      messageId: string,
      index: number
    ) => Effect.Effect<Attachment, ImageNotFound | DatabaseUnavailable, Caller>
    /** Oldest first. */
    readonly summaries: (
      taskId: TaskId
    ) => Effect.Effect<ReadonlyArray<Summary>, TaskNotFound | DatabaseUnavailable, Caller>
  }
>()("bytebot/Attachments") {
  static readonly layer = Layer.effect(
    Attachments,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient

      const file = Effect.fn("Attachments.file")(function* (taskId: TaskId, fileId: string) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        const rows = yield* sql`
          SELECT f."name", f."type", f."data" FROM "File" f JOIN "Task" t ON t."id" = f."taskId"
          WHERE f."id" = ${fileId} AND t."id" = ${taskId} AND ${visibleTo(sql, yield* Caller, "t")}`
        if (rows[0] === undefined) return yield* new FileNotFound({ id: fileId })
        const { data, name, type } = yield* decodeFile(rows[0])
        return { name, type, bytes: Buffer.from(data, "base64") }
      }, repeatable)

      const image = Effect.fn("Attachments.image")(function* (messageId: string, index: number) {
        const rows = yield* sql`
          SELECT ${sql.literal(messageContent("m"))} AS content FROM "Message" m JOIN "Task" t ON t."id" = m."taskId"
          WHERE m."id" = ${messageId} AND ${visibleTo(sql, yield* Caller, "t")}`
        const found = rows[0] === undefined ? undefined : imageAt((yield* decodeContent(rows[0])).content, index)
        if (found === undefined) return yield* new ImageNotFound({ id: messageId })
        return { name: `${index}`, type: found.mediaType, bytes: Buffer.from(found.data, "base64") }
      }, repeatable)

      const summaries = Effect.fn("Attachments.summaries")(function* (taskId: TaskId) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        const rows = yield* sql`
          SELECT t."id" AS task, s."id", s."content", ${sql.literal(instant('s."createdAt"'))} AS "createdAt",
            ${sql.literal(instant('s."updatedAt"'))} AS "updatedAt", s."taskId", s."parentId"
          FROM "Task" t LEFT JOIN "Summary" s ON s."taskId" = t."id"
          WHERE t."id" = ${taskId} AND ${visibleTo(sql, yield* Caller, "t")} ORDER BY s."createdAt", s."id"`
        if (rows[0] === undefined) return yield* new TaskNotFound({ id: taskId })
        return yield* decodeSummaries(rows.filter(({ id }) => id !== null))
      }, repeatable)

      return Attachments.of({ file, image, summaries })
    })
  )
}

const decodeFile = Schema.decodeUnknownEffect(
  Schema.Struct({ name: Schema.String, type: Schema.String, data: Schema.String })
)
const decodeContent = Schema.decodeUnknownEffect(Schema.Struct({ content: Schema.Array(Schema.Json) }))
const decodeSummaries = Schema.decodeUnknownEffect(Schema.Array(Summary))
