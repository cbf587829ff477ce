import { createHash } from "node:crypto"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, FileSystem, Path } from "effect"
import { SqlClient } from "effect/sql"
import { MigrationFailed } from "./MigrationErrors.ts"
import { wordsOf } from "./SqlFailure.ts"

/** A file of `migrations/`. */
export interface Migration {
  /** The file's name without `.sql`: 14 digits of a UTC time, then what it does. */
  readonly name: string
  readonly script: string
  /** SHA-256 of the file, hexadecimal. */
  readonly checksum: string
}

const fileName = /^\d{14}_\w+\.sql$/

const folder = new URL("../../migrations/", import.meta.url)

const readFile = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const script = yield* fs.readFileString(path.join(yield* path.fromFileUrl(folder), file))
  return {
    name: file.slice(0, -".sql".length),
    script,
    checksum: createHash("sha256").update(script).digest("hex")
  } satisfies Migration
})

/** The migrations of this version of the service, oldest first. They are part of the program: a missing file is a broken installation. */
export const readMigrations: Effect.Effect<ReadonlyArray<Migration>> = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const files = (yield* fs.readDirectory(yield* path.fromFileUrl(folder))).filter((name) => fileName.test(name)).sort()
  return yield* Effect.forEach(files, readFile)
}).pipe(Effect.provide(NodeServices.layer), Effect.orDie)

/** The script that makes the tables of the original, at any state, equal to what the first migration creates. */
export const readAdoption: Effect.Effect<Migration> = readFile("adopt_original.sql").pipe(
  Effect.provide(NodeServices.layer),
  Effect.orDie
)

/** Runs a script's statements one after the other, in the caller's transaction. */
export const runScript = Effect.fn("Migrations.runScript")(function* ({ name, script }: Migration) {
  const sql = yield* SqlClient.SqlClient
  for (const statement of statementsOf(script)) {
    yield* sql
      .unsafe(statement)
      .unprepared.pipe(
        Effect.mapError((error) => new MigrationFailed({ migration: name, cause: wordsOf(error), statement }))
      )
  }
})

/** Comments, quoted texts and names, dollar-quoted bodies, words, semicolons, and whatever else (PostgreSQL's documentation, 4.1). */
const token =
  /--[^\n]*|\/\*[\s\S]*?\*\/|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\1|[A-Za-z_][\w$]*|[\s\S]/g

const isComment = (text: string): boolean => text.startsWith("--") || text.startsWith("/*")

/**
 * The statements of a script, comments and closing semicolons removed: the driver takes one statement at a time. Nested comments
 * and bodies of SQL-standard functions (BEGIN ATOMIC) are not understood.
 */
export const statementsOf = (script: string): ReadonlyArray<string> => {
  const statements = [""]
  for (const [text] of script.matchAll(token)) {
    if (text === ";") statements.push("")
    else statements.push(`${statements.pop() ?? ""}${isComment(text) ? " " : text}`)
  }
  return statements.map((statement) => statement.trim()).filter((statement) => statement !== "")
}
