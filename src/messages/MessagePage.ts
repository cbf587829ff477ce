import { hash } from "node:crypto"
import { Schema } from "effect"
import { jsonSize, messageContent } from "../database/WireJson.ts"
import { withImageUrls } from "../domain/MessageImages.ts"
import type { Role } from "../domain/Task.ts"
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
  /** Bytes of the content, at most: what is read of it takes up about as many. */
  readonly size: number
}

/** SQL: bytes that the content of the row `alias` has, at most. */
export const contentSize = (alias: string): string => jsonSize(`${alias}."content"`)

/** Bytes that a small content takes up in the table at the most. */
const small = 4096

/** SQL: the columns of a `MessageRow` of the row `alias`, of which `size` is given; without a content where `isRead` does not hold. */
export const messageColumns = (alias: string, size = contentSize(alias), isRead = "TRUE"): string => {
  const content = messageContent(alias)
  const isSmall = `pg_column_size(${alias}."content") <= ${small}`
  return (
    `${alias}."id", CASE WHEN ${isRead} AND ${isSmall} THEN ${content} END AS blocks, ` +
    `CASE WHEN ${isRead} AND NOT ${isSmall} THEN convert_to((${content})::text, 'UTF8') END AS text, ` +
    `${alias}."role", ${alias}."createdAt", ${alias}."updatedAt", ${alias}."taskId", ${alias}."summaryId", ${size} AS size`
  )
}

/** Whether the message's content was read with it. */
export const isRead = ({ blocks, text }: MessageRow): boolean => blocks !== null || text !== null

/** JSON in bytes. */
export interface JsonPage {
  /** The bytes in chunks: large contents are not copied to join them. */
  readonly chunks: ReadonlyArray<Uint8Array>
  /** Of all bytes. */
  readonly length: number
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

/**
 * The page's entity tag. What is stored of a message never changes but for its summary, of which `updatedAt` tells. `length` in bytes is the
 * page's, or where that is not known yet, that of the contents.
 */
export const pageTag = (
  rows: ReadonlyArray<MessageRow>,
  length = rows.reduce((sum, { size }) => sum + size, 0)
): string => {
  const content = rows.map(({ id, summaryId, updatedAt }) => `${id} ${updatedAt.getTime()} ${summaryId}`).join("\n")
  return `W/"${length.toString(16)}-${hash("sha1", content, "base64").slice(0, 27)}"`
}

/** Writes a page message by message: each call answers the chunks that follow. */
export interface PageWriter {
  readonly add: (rows: ReadonlyArray<MessageRow>) => ReadonlyArray<Uint8Array>
  readonly end: () => ReadonlyArray<Uint8Array>
}

/** The messages as `MessagesApi` lists them. */
export const listWriter = (images: ShownImages = "inline"): PageWriter => {
  let before = "["
  return {
    add: (rows) =>
      chunksOf(
        rows.flatMap((row) => {
          const pieces = [before, ...messagePieces(row, row.role, contentOf(row, images).pieces)]
          before = ","
          return pieces
        })
      ),
    end: () => chunksOf([before === "[" ? "[]" : "]"])
  }
}

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
export const processedWriter = (images: ShownImages = "inline"): PageWriter => {
  let last: Shown | undefined
  const close = () => (last === undefined ? "[" : `],"take_over":${last.takeOver}}`)
  const add = (row: MessageRow): ReadonlyArray<Piece> => {
    const message = shown(row, images)
    const isSameGroup = last?.role === message.role && last.takeOver === message.takeOver
    const opening = `${close()}${last === undefined ? "" : ","}{"role":"${message.role}","messages":[`
    last = { ...message, pieces: [] }
    return [isSameGroup ? "," : opening, ...message.pieces]
  }
  return { add: (rows) => chunksOf(rows.flatMap(add)), end: () => chunksOf([`${close()}]`]) }
}

/** A page of messages whose contents were all read. */
export const wholePage = (writer: PageWriter, rows: ReadonlyArray<MessageRow>): JsonPage => {
  const chunks = [...writer.add(rows), ...writer.end()]
  return { chunks, length: chunks.reduce((sum, chunk) => sum + chunk.length, 0) }
}
