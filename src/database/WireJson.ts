import { Struct } from "effect"
import { ApiKey } from "../domain/ApiKey.ts"
import { Task } from "../domain/Task.ts"
import { TaskFile } from "../domain/TaskFile.ts"

/**
 * SQL expressions that build the wire's JSON of a row, with the keys in the contract's order (docs/contract/rest.md) and dates as
 * ISO instants. Rows are read in this one shape everywhere; jsonb columns keep the order PostgreSQL gives them.
 */

/** The instant in a column, as the wire shows it. */
export const instant = (column: string) => `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

const isInstant = (column: string): boolean => /At$|^scheduledFor$/.test(column)

/** The object of the row `alias` with these columns; `others` are expressions in place of columns. */
const rowJson = (
  alias: string,
  columns: ReadonlyArray<string>,
  others: Readonly<Record<string, string>> = {}
): string => {
  const pairs = columns.map((column) => {
    const value = others[column] ?? `${alias}."${column}"`
    return `'${column}', ${isInstant(column) ? instant(value) : value}`
  })
  return `json_build_object(${pairs.join(", ")})`
}

/** The columns of "Task" that tasks show, in the contract's order. */
export const taskColumnNames = Struct.keys(Struct.omit(Task.fields, ["desktop", "effort"]))

/** The Task object of the row `alias`. */
export const taskJson = (alias: string, others?: Readonly<Record<string, string>>): string =>
  rowJson(alias, taskColumnNames, others)

/** The File object of the row `alias`. */
export const fileJson = (alias: string): string => rowJson(alias, Struct.keys(TaskFile.fields))

/** The ApiKey object of the row `alias`. */
export const apiKeyJson = (alias: string): string => rowJson(alias, Struct.keys(ApiKey.fields))

/** SQL: bytes that the jsonb has as text, at most. What is compressed may be a hundred times as large as what is stored. */
export const jsonSize = (column: string): string =>
  `CASE WHEN pg_column_compression(${column}) IS NULL THEN pg_column_size(${column}) ELSE octet_length(${column}::text) END`

/** The content of the row `alias`: an array, also where older writers stored something else. */
export const messageContent = (alias: string): string =>
  `CASE jsonb_typeof(${alias}."content") WHEN 'array' THEN ${alias}."content" ELSE jsonb_build_array(${alias}."content") END`

const messageObject = (alias: string, updatedAt: string, summaryId: string): string =>
  `json_build_object('id', ${alias}."id", ` +
  `'content', ${messageContent(alias)}, ` +
  `'role', ${alias}."role", 'createdAt', ${instant(`${alias}."createdAt"`)}, 'updatedAt', ${instant(updatedAt)}, ` +
  `'taskId', ${alias}."taskId", 'summaryId', ${summaryId})`

/** The Message object of the row `alias`; content that is no array (older writers) is shown as an array of one. */
export const messageJson = (alias: string): string =>
  messageObject(alias, `${alias}."updatedAt"`, `${alias}."summaryId"`)

/** The same as it was when the message was new: by the time that an event is read, a summary may hide it. */
export const newMessageJson = (alias: string): string => messageObject(alias, `${alias}."createdAt"`, "NULL")
