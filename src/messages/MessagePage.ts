import { hash } from "node:crypto"
import type { Schema } from "effect"
import { jsonSize, messageContent } from "../database/WireJson.ts"
import { withImageUrls } from "../domain/MessageImages.ts"
import { type PageMessage, processed } from "./ProcessedMessages.ts"

/** A message as a page reads it. */
export interface MessageRow extends Omit<PageMessage, "content"> {
  /** Null where the page had no room for it. */
  readonly content: ReadonlyArray<Schema.Json> | null
  /** Upper bound of the content's size in bytes. */
  readonly size: number
}

/** SQL: upper bound of the bytes in the content of the row `alias`. */
export const contentSize = (alias: string): string => jsonSize(`${alias}."content"`)

/** SQL: the columns of a `MessageRow` of the row `alias`, whose size is `size`; the content is null unless `isRead` holds. */
export const messageColumns = (alias: string, size = contentSize(alias), isRead = "TRUE"): string =>
  `${alias}."id", CASE WHEN ${isRead} THEN ${messageContent(alias)} END AS content, ${alias}."role", ${alias}."createdAt", ` +
  `${alias}."updatedAt", ${alias}."taskId", ${alias}."summaryId", ${size} AS size`

export const isRead = ({ content }: MessageRow): boolean => content !== null

/** Whether pictures are in the page, or their addresses only. */
export type ShownImages = "inline" | "urls"

const messageOf = ({ content, size: _, ...row }: MessageRow, images: ShownImages): PageMessage => {
  const { createdAt, id, role, summaryId, taskId, updatedAt } = row
  const blocks = content ?? []
  const shown = images === "inline" ? blocks : withImageUrls(id, blocks)
  return { id, content: shown, role, createdAt, updatedAt, taskId, summaryId }
}

/** A page's entity tag, from what may change of a stored message. */
export const pageTag = (rows: ReadonlyArray<MessageRow>): string => {
  const size = rows.reduce((sum, row) => sum + row.size, 0)
  const versions = rows.map(({ id, summaryId, updatedAt }) => `${id} ${updatedAt.getTime()} ${summaryId}`).join("\n")
  return `W/"${size.toString(16)}-${hash("sha1", versions, "base64").slice(0, 27)}"`
}

/** Writes a page's JSON, some rows at a time: each call gives the text that follows. */
export interface PageWriter<Row> {
  readonly add: (rows: ReadonlyArray<Row>) => string
  readonly end: () => string
}

/** The messages as `MessagesApi` lists them. */
export const listWriter = (images: ShownImages = "inline"): PageWriter<MessageRow> => {
  let separator = "["
  const write = (row: MessageRow): string => {
    const text = separator + JSON.stringify(messageOf(row, images))
    separator = ","
    return text
  }
  return { add: (rows) => rows.map(write).join(""), end: () => (separator === "[" ? "[]" : "]") }
}

/** The messages in groups of one role, and of one kind: actions of the user on the desktop, or not. */
export const processedWriter = (images: ShownImages = "inline"): PageWriter<MessageRow> => {
  let group: string | undefined
  let closing = "["
  const write = (row: MessageRow): string => {
    const message = processed(messageOf(row, images))
    const takeOver = message.take_over ?? false
    const own = `${message.role} ${takeOver}`
    const opening =
      group === own ? "," : `${closing}${group === undefined ? "" : ","}{"role":"${message.role}","messages":[`
    group = own
    closing = `],"take_over":${takeOver}}`
    return opening + JSON.stringify(message)
  }
  return { add: (rows) => rows.map(write).join(""), end: () => `${closing}]` }
}
