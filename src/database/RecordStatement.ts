import type { Array as Arr, Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { storableJson, storableText } from "./StorableJson.ts"

/** The names of a record's fields with their types in SQL; a record has them in the same order. */
export type Fields<R> = Readonly<Record<keyof R & string, string>>

/**
 * A statement on a few records, which it gets in the place of `records`: as parameters where there is one, which is a quarter faster,
 * else as a list in JSON.
 */
export const recordStatement = <R extends object, Row extends object>(
  fields: Fields<R>,
  statement: (records: string) => string
) => {
  const names = Object.entries<string>(fields)
  const parameters = names.map(([name, type], index) => `$${index + 1}::${type} AS "${name}"`)
  const forOne = statement(`SELECT ${parameters.join(", ")}`)
  const columns = names.map(([name, type]) => `"${name}" ${type}`)
  const forSeveral = statement(`SELECT * FROM json_to_recordset($1::json) AS record(${columns.join(", ")})`)

  return (sql: SqlClient.SqlClient) =>
    ([record, ...others]: Arr.NonEmptyReadonlyArray<R>): Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError> =>
      others.length === 0
        ? sql.unsafe<Row>(forOne, Object.values(record).map(parameterOf))
        : sql.unsafe<Row>(forSeveral, [storableJson([record, ...others])])
}

const parameterOf = (value: unknown): string | null => {
  if (value === null) return null
  return typeof value === "string" ? storableText(value) : storableJson(value)
}
