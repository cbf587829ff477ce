import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { migrate } from "../../src/database/Migrator.ts"
import { clientLayer, empty, migrated } from "../support/TestDatabase.ts"
import { rowsOfAll, schemaOf } from "./catalog.ts"
import { buildState, ledgerEntry, run } from "./original.ts"

/** The migrator's refusal, after a check that it has changed nothing. */
const refusal = Effect.gen(function* () {
  const before = [yield* rowsOfAll, yield* schemaOf()]
  const error = yield* Effect.flip(migrate)
  assert.deepStrictEqual([yield* rowsOfAll, yield* schemaOf()], before)
  return error
})

const onEmpty = <A, E>(test: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.scoped(Effect.flatMap(empty, (url) => Effect.provide(test, clientLayer(url))))

const cases: ReadonlyArray<{
  readonly title: string
  readonly state: number
  readonly change: Effect.Effect<unknown, unknown, SqlClient.SqlClient>
  readonly says: RegExp
}> = [
  {
    title: "half of a migration",
    state: 8,
    change: run([`ALTER TABLE "Task" ADD COLUMN "model" JSONB, DROP COLUMN "queuedAt"`]),
    says: /nearest is what the original's 20250706223912_model_picker leaves, but\n.*"Task"\."queuedAt" is missing/
  },
  {
    title: "a column of an unknown version",
    state: 11,
    change: run([`ALTER TABLE "Task" ADD COLUMN "mood" TEXT`]),
    says: /"Task"\."mood" \(text\) is there and unknown/
  },
  {
    title: "a column of another type",
    state: 11,
    change: run([`ALTER TABLE "File" ALTER COLUMN "size" TYPE BIGINT`]),
    says: /"File"\."size" is bigint and not integer/
  },
  {
    title: "a missing table",
    state: 11,
    change: run([`DROP TABLE "Summary" CASCADE`]),
    says: /the table "Summary" is missing/
  },
  {
    title: "a ledger that is ahead of the tables",
    state: 9,
    change: ledgerEntry("20250722041608_files", true),
    says: /as the original's 20250706223912_model_picker leaves them\n.*says that 20250722041608_files is finished/
  },
  {
    title: "a ledger without tables",
    state: 0,
    change: ledgerEntry("20250328022708_initial_migration", true),
    says: /none of the tables is there\n.*says that 20250328022708_initial_migration is finished/
  },
  {
    title: "a foreign table with a name of ours",
    state: 0,
    change: run([`CREATE TABLE "User" ("login" TEXT PRIMARY KEY)`]),
    says: /the table "Task" is missing/
  },
  {
    title: "a type of ours without tables",
    state: 0,
    change: run([`CREATE TYPE "Role" AS ENUM ('ADMIN')`]),
    says: /the type "Role" is there/
  }
]

describe("what the migrator refuses, touching nothing", () => {
  for (const { change, says, state, title } of cases) {
    it.effect(title, () =>
      onEmpty(
        Effect.gen(function* () {
          yield* buildState(state)
          yield* change
          const error = yield* refusal
          assert.strictEqual(error._tag, "SchemaNotRecognised")
          assert.match(error.message, says)
        })
      )
    )
  }

  it.effect("a statement that fails, with its name and the server's words", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* buildState(2)
        yield* run([`CREATE VIEW said AS SELECT "role" FROM "Message"`])
        const error = yield* refusal
        assert.strictEqual(error._tag, "MigrationFailed")
        assert.match(
          error.message,
          /^Migration adopt_original failed: cannot alter type of a column used by a view or rule/
        )
      })
    )
  )

  it.effect("a migration that was edited after it had been applied", () =>
    Effect.scoped(
      Effect.flatMap(migrated, (url) =>
        Effect.gen(function* () {
          yield* run([`UPDATE "BytebotMigration" SET "checksum" = 'other' WHERE "name" = '20261124000000_schema'`])
          const error = yield* refusal
          assert.strictEqual(error._tag, "MigrationEdited")
          assert.match(error.message, /migrations\/20261124000000_schema\.sql was changed .*was other/)
        }).pipe(Effect.provide(clientLayer(url)))
      )
    )
  )

  it.effect("our ledger without our tables", () =>
    Effect.scoped(
      Effect.flatMap(migrated, (url) =>
        Effect.gen(function* () {
          yield* run([`DROP TABLE "Task" CASCADE`])
          assert.strictEqual((yield* refusal)._tag, "SchemaNotRecognised")
        }).pipe(Effect.provide(clientLayer(url)))
      )
    )
  )
})
