import { hash } from "node:crypto"
import { Schema } from "effect"
import { messageContent } from "../database/WireJson.ts"
import type { Role } from "../domain/Task.ts"
import { withImageUrls } from "./Images.ts"
import { compactArray } from "./JsonText.ts"
import { desktopActions } from "./ProcessedMessages.ts"

/**
 * Pages of messages as the bytes of their JSON, which hold tens of megabytes of screenshots: the stored text is passed on. A property test
 * holds them against what the API's schemas yield.
 */

/** A message as it is read for this; its content is in one of two forms. */
export interface MessageRow {
  readonly id: string
  /** The content, where it is small: parsing and printing is quickest then. */
  readonly blocks: ReadonlyArray<Schema.Json> | null
  /** PostgreSQL's text of it, in UTF-8, where it is not. */
  readonly text: Uint8Array | null
  readonly role: Role
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly taskId: string
  readonly summaryId: string | null
}

/** Bytes that a small content takes up in the table at the most. */
const small = 4096

/** SQL: the columns of a `MessageRow` of the row `alias`. */
export const messageColumns = (alias: string): string => {
  const content = messageContent(alias)
  const isSmall = `pg_column_size(${alias}."content") <= ${small}`
  return (
    `${alias}."id", CASE WHEN ${isSmall} THEN ${content} END AS blocks, CASE WHEN NOT ${isSmall} THEN convert_to((${content})::text, 'UTF8') END AS text, ` +
    `${alias}."role", ${alias}."createdAt", ${alias}."updatedAt", ${alias}."taskId", ${alias}."summaryId"`
  )
}

/** JSON in bytes, with the hash of what it depends on. */
export interface JsonPage {
  /** The bytes in chunks: large contents are not copied to join them. */
  readonly chunks: ReadonlyArray<Uint8Array>
  /** Of all bytes. */
  readonly length: number
  readonly etag: string
}

type Piece = Uint8Array | string

const decodeContent = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Schema.Json)))

/** Whether pictures are in the page, or only their addresses. */
export type ShownImages = "inline" | "urls"

interface Content {
  readonly pieces: ReadonlyArray<Piece>
  readonly types: ReadonlyArray<string | undefined>
}

const typeOf = (block: Schema.Json): string | undefined =>
  typeof block === "object" && block !== null && "type" in block && typeof block.type === "string"
    ? block.type
    : undefined

const blocksOf = ({ blocks, text }: MessageRow): ReadonlyArray<Schema.Json> =>
  blocks ?? (text === null ? [] : decodeContent(Buffer.from(text.buffer, text.byteOffset, text.length).toString()))

const contentOf = (row: MessageRow, images: ShownImages): Content => {
  const compact = images === "inline" && row.text !== null ? compactArray(row.text) : undefined
  if (compact !== undefined) return compact
  const blocks = images === "inline" ? blocksOf(row) : withImageUrls(row.id, blocksOf(row))
  return { pieces: [JSON.stringify(blocks)], types: blocks.map(typeOf) }
}

const messagePieces = (
  { createdAt, id, summaryId, taskId, updatedAt }: MessageRow,
  role: Role,
  content: ReadonlyArray<Piece>,
  more = ""
): ReadonlyArray<Piece> => {
  const created = createdAt.toISOString()
  // Most messages never change, and writing a date takes longer than anything else here.
  const updated = updatedAt.getTime() === createdAt.getTime() ? created : updatedAt.toISOString()
  return [
    `{"id":${JSON.stringify(id)},"content":`,
    ...content,
    `,"role":"${role}","createdAt":"${created}","updatedAt":"${updated}","taskId":${JSON.stringify(taskId)},"summaryId":${JSON.stringify(summaryId)}${more}}`
  ]
}

const separated = (items: ReadonlyArray<ReadonlyArray<Piece>>): ReadonlyArray<Piece> =>
  items.flatMap((pieces, index) => (index === 0 ? pieces : [",", ...pieces]))

/** The pieces in UTF-8. What is short is gathered: encoding and sending have a price per time. */
const chunksOf = (pieces: ReadonlyArray<Piece>): ReadonlyArray<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  let text = ""
  const encodeText = () => {
    if (text !== "") chunks.push(Buffer.from(text))
    text = ""
  }
  for (const piece of pieces) {
    if (typeof piece === "string") text += piece
    else if (piece.length < 1024) text += Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString()
    else {
      encodeText()
      chunks.push(piece)
    }
  }
  encodeText()
  return chunks
}

/** What is stored of a message never changes but for its summary, of which `updatedAt` tells. */
const page = (rows: ReadonlyArray<MessageRow>, pieces: ReadonlyArray<Piece>): JsonPage => {
  const chunks = chunksOf(pieces)
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const content = rows.map(({ id, summaryId, updatedAt }) => `${id} ${updatedAt.getTime()} ${summaryId}`).join("\n")
  return { chunks, length, etag: `W/"${length.toString(16)}-${hash("sha1", content, "base64").slice(0, 27)}"` }
}

/** The messages as `MessagesApi` lists them. */
export const listPage = (rows: ReadonlyArray<MessageRow>, images: ShownImages = "inline"): JsonPage =>
  page(rows, ["[", ...separated(rows.map((row) => messagePieces(row, row.role, contentOf(row, images).pieces))), "]"])

interface Shown {
  readonly role: Role
  readonly takeOver: boolean
  readonly pieces: ReadonlyArray<Piece>
}

/** A message as its group shows it: see `groupMessages`. */
const shown = (row: MessageRow, images: ShownImages): Shown => {
  const { pieces, types } = contentOf(row, images)
  const asIs = (role: Shown["role"]): Shown => ({
    role,
    takeOver: false,
    pieces: messagePieces(row, role, pieces)
  })
  if (row.role !== "USER" || types.every((type) => type === "tool_result")) return asIs("ASSISTANT")
  if (!types.every((type) => type === "user_action")) return asIs("USER")
  const actions = blocksOf(row).flatMap(desktopActions)
  return {
    role: "ASSISTANT",
    takeOver: true,
    pieces: messagePieces(row, "ASSISTANT", [JSON.stringify(actions)], ',"take_over":true')
  }
}

/** The messages in groups, as `groupMessages` makes them. */
export const processedPage = (rows: ReadonlyArray<MessageRow>, images: ShownImages = "inline"): JsonPage => {
  const groups: Array<{ readonly first: Shown; readonly messages: Array<ReadonlyArray<Piece>> }> = []
  for (const message of rows.map((row) => shown(row, images))) {
    const last = groups.at(-1)
    if (last !== undefined && last.first.role === message.role && last.first.takeOver === message.takeOver) {
      last.messages.push(message.pieces)
    } else groups.push({ first: message, messages: [message.pieces] })
  }
  const pieces = groups.map(({ first, messages }) => [
    `{"role":"${first.role}","messages":[`,
    ...separated(messages),
    `],"take_over":${first.takeOver}}`
  ])
  return page(rows, ["[", ...separated(pieces), "]"])
}
