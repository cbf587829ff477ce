import { createHash } from "node:crypto"
import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Path } from "effect"
import { SqlClient } from "effect/sql"
import { MigrationFailed } from "./MigrationErrors.ts"
import { wordsOf } from "./SqlFailure.ts"
import { statementsOf } from "./SqlScript.ts"

/** A file of `migrations/`. */
export interface Migration {
  /** The file's name without `.sql`: 14 digits of a UTC time, then what it does. */
  readonly name: string
  readonly script: string
  /** SHA-256 of the file, hexadecimal. */
  readonly checksum: string
}

const fileName = /^\d{14}_\w+\.sql$/

const root = new URL("../../migrations/", import.meta.url)

/** The scripts of a folder of this package, oldest first. They are part of the program: a missing file is a broken installation. */
const readFolder = (folder: URL): Effect.Effect<ReadonlyArray<Migration>> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const place = yield* path.fromFileUrl(folder)
    const files = (yield* fs.readDirectory(place)).filter((name) => fileName.test(name)).sort()
    return yield* Effect.forEach(files, (file) =>
      Effect.map(fs.readFileString(path.join(place, file)), (script) => ({
        name: file.slice(0, -".sql".length),
        script,
        checksum: createHash("sha256").update(script).digest("hex")
      }))
    )
  }).pipe(Effect.provide(NodeServices.layer), Effect.orDie)

/** The migrations of this version of the service, oldest first. */
export const readMigrations = readFolder(root)

/** The steps of the original's history, oldest first: each brings a database from the state before it to the one it is named after. */
export const readOriginalSteps = readFolder(new URL("original/", root))

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
