/**
 * A dump is a plain SQL script that psql runs as well as `db:restore` does: comments that tell what is in it, the schema, the rows in the text format
 * of COPY (PostgreSQL's documentation, "COPY", File Formats), the sequences, and a last line by which a whole file is known.
 */

/** A migration that the dumped database had. */
export interface DumpedMigration {
  readonly name: string
  readonly checksum: string
}

/** A table's rows follow. */
export interface DumpedTable {
  readonly table: string
  readonly columns: ReadonlyArray<string>
}

/** Where a sequence stands. */
export interface DumpedSequence {
  readonly table: string
  readonly column: string
  readonly value: string
  readonly called: boolean
}

/** Raised when older versions cannot read what this one writes. */
export const format = 1

const title = "-- bytebot-agent database dump, format "

export const firstLine = `${title}${format}`
export const dataLine = "-- data"
export const endOfRows = "\\."
export const lastLine = "-- end of dump"

export const migrationLine = ({ checksum, name }: DumpedMigration): string => `-- migration ${name} ${checksum}`

export const tableLine = ({ columns, table }: DumpedTable): string =>
  `COPY "${table}" (${columns.map((column) => `"${column}"`).join(", ")}) FROM stdin;`

export const countLine = (rows: number): string => `-- ${rows} rows`

export const sequenceLine = ({ called, column, table, value }: DumpedSequence): string =>
  `SELECT setval(pg_get_serial_sequence('"${table}"', '${column}'), ${value}, ${called});`

/** The format's number; undefined: the file is no dump. */
export const parseFirstLine = (line: string): number | undefined =>
  line.startsWith(title) && /^\d+$/.test(line.slice(title.length)) ? Number(line.slice(title.length)) : undefined

export const parseMigration = (line: string): DumpedMigration | undefined => {
  const [, name, checksum] = /^-- migration (\w+) ([0-9a-f]{64})$/.exec(line) ?? []
  return name === undefined || checksum === undefined ? undefined : { name, checksum }
}

export const parseTable = (line: string): DumpedTable | undefined => {
  const [, table, list] = /^COPY "(\w+)" \(("\w+"(?:, "\w+")*)\) FROM stdin;$/.exec(line) ?? []
  return table === undefined || list === undefined
    ? undefined
    : { table, columns: list.split(", ").map((column) => column.slice(1, -1)) }
}

export const parseCount = (line: string): number | undefined => {
  const [, rows] = /^-- (\d+) rows$/.exec(line) ?? []
  return rows === undefined ? undefined : Number(rows)
}

export const parseSequence = (line: string): DumpedSequence | undefined => {
  const [, table, column, value, called] =
    /^SELECT setval\(pg_get_serial_sequence\('"(\w+)"', '(\w+)'\), (\d+), (true|false)\);$/.exec(line) ?? []
  return table === undefined || column === undefined || value === undefined
    ? undefined
    : { table, column, value, called: called === "true" }
}

/** What COPY escapes, by the letter that it writes behind the backslash. */
const escapes: Readonly<Record<string, string>> = { "\\": "\\", t: "\t", n: "\n", r: "\r" }

/** SQL for a row as a line of COPY's text format, without the line's end. */
export const rowSql = (columns: ReadonlyArray<string>): string => {
  const text = (column: string) =>
    Object.entries(escapes).reduce(
      (sql, [letter, character]) => `replace(${sql}, ${literal(character)}, ${literal(`\\${letter}`)})`,
      `"${column}"::text`
    )
  return `concat_ws(E'\\t', ${columns.map((column) => `coalesce(${text(column)}, ${literal("\\N")})`).join(", ")})`
}

const literal = (text: string): string => {
  const letters = Object.entries(escapes)
  const escaped = [...text].map((character) => {
    const [letter] = letters.find(([, escaped]) => escaped === character) ?? []
    return letter === undefined ? character : `\\${letter}`
  })
  return `E'${escaped.join("")}'`
}

/** The values of a line of rows; undefined: it is not in COPY's text format as dumps have it. */
export const parseRow = (line: string): ReadonlyArray<string | null> | undefined => {
  let isWellFormed = true
  const values = line.split("\t").map((field) => {
    if (field === "\\N") return null
    if (!field.includes("\\")) return field
    return field.replaceAll(/\\([\s\S]?)/g, (_, letter: string) => {
      const character = escapes[letter]
      if (character === undefined) isWellFormed = false
      return character ?? ""
    })
  })
  return isWellFormed ? values : undefined
}
