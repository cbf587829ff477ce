import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { migrate } from "../../src/database/Migrator.ts"
import { clientLayer, empty, migrated } from "../support/TestDatabase.ts"
import { rowsOfAll, schemaOf } from "./catalog.ts"
import { buildState, history, ledgerEntry, migrationNames, run } from "./original.ts"

const onEmpty = <A, E>(test: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.scoped(Effect.flatMap(empty, (url) => Effect.provide(test, clientLayer(url))))

/** The schema of a database that began with ours. */
const ours = Effect.scoped(
  Effect.flatMap(migrated, (url) => Effect.provide(schemaOf(["_prisma_migrations"]), clientLayer(url)))
)

/**
 * What `prisma migrate deploy` looks for: migrations of its folder that have no entry, and entries that failed; those rolled back count for
 * neither (schema-engine/ARCHITECTURE.md and apply_migrations.rs in prisma/prisma-engines). An unfinished entry counts for both here.
 */
const prismaSees = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const entries = yield* sql<{ name: string; finished: boolean; rolledBack: boolean }>`
    SELECT "migration_name" AS name, "finished_at" IS NOT NULL AS finished, "rolled_back_at" IS NOT NULL AS "rolledBack" FROM "_prisma_migrations"`
  const live = entries.filter(({ rolledBack }) => !rolledBack)
  return {
    pending: migrationNames.filter((name) => !live.some((entry) => entry.name === name && entry.finished)),
    failed: live.filter(({ finished }) => !finished).map(({ name }) => name)
  }
})

const upToDate = { pending: [], failed: [] }

const renamed = (column: string, value: unknown): readonly [string, unknown] =>
  column === "status" && value === "IN_PROGRESS" ? [column, "RUNNING"] : [column, value]

/** Every row of before with every value of before, where the history put it. */
const assertKept = (
  before: Record<string, ReadonlyArray<Record<string, unknown>>>,
  after: Record<string, ReadonlyArray<Record<string, unknown>>>
) => {
  for (const [table, rows] of Object.entries(before)) {
    if (table === "_prisma_migrations") continue
    assert.strictEqual(after[table]?.length, rows.length, table)
    for (const row of rows) {
      const kept = after[table]?.find(({ id }) => id === row.id)
      for (const [column, value] of Object.entries(row)) {
        const [name, expected] = table === "Message" && column === "type" ? ["role", value] : renamed(column, value)
        assert.deepStrictEqual(kept?.[name], expected, `${table}.${column} of ${row.id}`)
      }
    }
  }
}

const adoptAndCheck = (state: number) =>
  Effect.gen(function* () {
    const before = yield* rowsOfAll
    const { adopted } = yield* migrate
    // The sixth migration changed a default only.
    assert.strictEqual(adopted, history[(state === 5 ? 6 : state) - 1]?.name)
    const after = yield* rowsOfAll
    assertKept(before, after)
    assert.deepStrictEqual(yield* prismaSees, upToDate)
    const schema = yield* schemaOf()
    assert.deepStrictEqual(yield* migrate, { applied: [], adopted: null })
    assert.deepStrictEqual([yield* rowsOfAll, yield* schemaOf()], [after, schema])
  })

describe("adoption of the original's databases, after which starting again changes nothing", () => {
  for (const [index, { name }] of history.entries()) {
    const state = index + 1
    for (const ledger of ["with its ledger", "without a ledger"]) {
      it.effect(`state ${state}, ${name}, ${ledger}`, () =>
        onEmpty(
          Effect.gen(function* () {
            yield* buildState(state)
            if (ledger === "without a ledger") yield* run([`DROP TABLE "_prisma_migrations"`])
            yield* adoptAndCheck(state)
            assert.deepStrictEqual(yield* schemaOf(["_prisma_migrations"]), yield* ours)
          })
        )
      )
    }
  }

  it.effect("gives old rows what the history gave them, and an order by age", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* buildState(2)
        yield* migrate
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(
          yield* sql`SELECT "type", "status", "control", "createdBy", "model", "userId" FROM "Task" WHERE "id" = 'old-2'`,
          [
            {
              type: "IMMEDIATE",
              status: "RUNNING",
              control: "USER",
              createdBy: "USER",
              model: { provider: "anthropic", name: "claude-opus-4-20250514", title: "Claude Opus 4" },
              userId: null
            }
          ]
        )
        const messages = yield* sql<{ id: string }>`SELECT "id" FROM "Message" ORDER BY "position"`
        assert.deepStrictEqual(
          messages.map(({ id }) => id),
          ["message-1", "message-2", "message-3"]
        )
        const [added] = yield* sql`
          INSERT INTO "Message" ("id", "content", "updatedAt", "taskId") VALUES ('message-4', '[]', now(), 'old-1') RETURNING "role", "position"`
        assert.deepStrictEqual(added, { role: "ASSISTANT", position: 4n })
      })
    )
  )

  it.effect("a failed entry for a migration that left no trace", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* buildState(8)
        yield* ledgerEntry("20250706223912_model_picker", false)
        yield* adoptAndCheck(8)
        assert.deepStrictEqual(yield* schemaOf(["_prisma_migrations"]), yield* ours)
      })
    )
  )

  it.effect("a failed entry for a migration whose changes are there", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* buildState(9)
        yield* run([
          `UPDATE "_prisma_migrations" SET "finished_at" = NULL WHERE "migration_name" = '20250706223912_model_picker'`
        ])
        yield* adoptAndCheck(9)
      })
    )
  )

  it.effect("adoption keeps foreign tables, views and ledger entries", () =>
    onEmpty(
      Effect.gen(function* () {
        const foreign = [
          `CREATE TYPE "Mood" AS ENUM ('GOOD', 'BAD')`,
          `CREATE TABLE "Customer" ("id" INTEGER PRIMARY KEY, "mood" "Mood", "taskId" TEXT REFERENCES "Task" ("id"), "said" "MessageRole")`,
          `INSERT INTO "Customer" VALUES (1, 'GOOD', 'old-1', 'USER')`,
          `CREATE SCHEMA other`,
          `CREATE TABLE other."Task" ("whatever" TEXT)`,
          `CREATE VIEW busy AS SELECT "id", "description" FROM "Task"`
        ]
        yield* buildState(2)
        yield* run(foreign)
        yield* ledgerEntry("20990101000000_somebody_else", true)
        yield* adoptAndCheck(2)
        const rest = (yield* schemaOf(["_prisma_migrations", "Customer", "busy"])).filter(
          (fact) => !/^type (Mood|MessageRole) /.test(fact)
        )
        assert.deepStrictEqual(rest, yield* ours)
      })
    )
  )

  it.effect("a column that lost NOT NULL, and rows that used it", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* buildState(11)
        yield* run([
          `ALTER TABLE "Task" ALTER COLUMN "model" DROP NOT NULL, ALTER COLUMN "control" DROP DEFAULT`,
          `UPDATE "Task" SET "model" = NULL WHERE "id" = 'old-2'`
        ])
        yield* migrate
        const sql = yield* SqlClient.SqlClient
        assert.deepStrictEqual(yield* sql`SELECT "model" FROM "Task" WHERE "id" = 'old-2'`, [
          { model: { provider: "anthropic", name: "claude-opus-4-20250514", title: "Claude Opus 4" } }
        ])
        assert.deepStrictEqual(yield* schemaOf(["_prisma_migrations"]), yield* ours)
      })
    )
  )

  it.effect("two at once: one adopts, both go on", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* buildState(7)
        const runs = yield* Effect.all([migrate, migrate, migrate], { concurrency: "unbounded" })
        assert.strictEqual(runs.filter(({ adopted }) => adopted !== null).length, 1)
        assert.deepStrictEqual(yield* prismaSees, upToDate)
      })
    )
  )
})

describe("going back to the original", () => {
  it.effect("nothing is pending on a database that began with ours", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* migrate
        assert.deepStrictEqual(yield* prismaSees, upToDate)
      })
    )
  )

  it.effect("the original's statements, which know nothing of our columns, work", () =>
    onEmpty(
      Effect.gen(function* () {
        yield* buildState(11)
        yield* migrate
        yield* run([
          `INSERT INTO "Task" ("id", "description", "type", "status", "priority", "control", "createdAt", "createdBy", "updatedAt", "model")
            VALUES ('back', 'd', 'IMMEDIATE', 'PENDING', 'MEDIUM', 'ASSISTANT', now(), 'USER', now(), '{}')`,
          `INSERT INTO "Message" ("id", "content", "role", "createdAt", "updatedAt", "taskId") VALUES ('m', '[]', 'USER', now(), now(), 'back')`,
          `INSERT INTO "File" ("id", "name", "type", "size", "data", "createdAt", "updatedAt", "taskId") VALUES ('f', 'n', 't', 1, '', now(), now(), 'back')`,
          `UPDATE "Task" SET "status" = 'RUNNING', "updatedAt" = now() WHERE "id" = 'back'`,
          `DELETE FROM "Task" WHERE "id" = 'back'`
        ])
      })
    )
  )
})
