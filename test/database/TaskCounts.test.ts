import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Random } from "effect"
import { SqlClient } from "effect/sql"
import { readMigrations } from "../../src/database/Migrations.ts"
import { migrate, migrateBy } from "../../src/database/Migrator.ts"
import { type CallerIdentity, everybody } from "../../src/domain/Caller.ts"
import { countOf, fold } from "../../src/tasks/TaskCounts.ts"
import { visibleTo } from "../../src/tasks/Visibility.ts"
import { clientLayer, empty, TestDatabase } from "../support/TestDatabase.ts"

/** Totals that are kept against tasks that are counted, whatever is done to the table "Task". */

const users = ["ada", "bob"]
const statuses = ["PENDING", "RUNNING", "COMPLETED"]
const priorities = ["LOW", "URGENT"]
const ids = Array.from({ length: 60 }, (_, index) => `task-${index}`)

/** Values of a row, as SQL. */
const values = Effect.gen(function* () {
  const [id, status, priority] = [
    yield* Random.choice(ids),
    yield* Random.choice(statuses),
    yield* Random.choice(priorities)
  ]
  const [type, createdBy] = [
    yield* Random.choice(["IMMEDIATE", "SCHEDULED"]),
    yield* Random.choice(["USER", "ASSISTANT"])
  ]
  const userId = yield* Random.choice(["NULL", ...users.map((user) => `'${user}'`)])
  return `('${id}', 'd', '${status}', '${priority}', '${type}', '${createdBy}', ${userId}, '{}', now())`
})

const insert = (conflict: string) =>
  Effect.map(
    Effect.all([values, values, values]),
    (rows) =>
      `INSERT INTO "Task" ("id", "description", "status", "priority", "type", "createdBy", "userId", "model", "updatedAt")
       SELECT DISTINCT ON ("id") "id", "d", "s"::"TaskStatus", "p"::"TaskPriority", "t"::"TaskType", "c"::"Role", "u"::text, "m"::jsonb, "at"
       FROM (VALUES ${rows.join(", ")}) v ("id", "d", "s", "p", "t", "c", "u", "m", "at") ORDER BY "id" ON CONFLICT ("id") DO ${conflict}`
  )

const some = Effect.map(
  Effect.all([Random.choice(ids), Random.choice(ids)]),
  ([first, second]) => `"id" BETWEEN least('${first}', '${second}') AND greatest('${first}', '${second}')`
)

/** What writers do, the original's among them; each is one statement. */
const changes = [
  insert("NOTHING"),
  insert("NOTHING"),
  insert(`UPDATE SET "status" = excluded."status", "userId" = excluded."userId"`),
  Effect.map(some, (where) => `UPDATE "Task" SET "status" = 'COMPLETED' WHERE ${where}`),
  Effect.map(some, (where) => `UPDATE "Task" SET "priority" = 'URGENT', "type" = 'IMMEDIATE' WHERE ${where}`),
  Effect.map(some, (where) => `UPDATE "Task" SET "description" = "description" || '.' WHERE ${where}`),
  Effect.map(some, (where) => `UPDATE "Task" SET "createdBy" = 'USER', "userId" = 'ada' WHERE ${where}`),
  Effect.map(
    Random.choice(ids),
    (id) => `
      WITH gone AS (DELETE FROM "Task" WHERE "id" = '${id}' RETURNING "id")
      UPDATE "Task" SET "status" = 'RUNNING' WHERE "id" <> '${id}' AND EXISTS (SELECT 1 FROM gone)`
  ),
  Effect.map(Random.choice(ids), (id) => `DELETE FROM "Task" WHERE "id" > '${id}'`),
  Effect.succeed(`DELETE FROM "User" WHERE "id" = 'bob'`),
  Effect.succeed(
    `UPDATE "User" SET "id" = 'renamed' WHERE "id" = 'bob' AND NOT EXISTS (SELECT 1 FROM "User" WHERE "id" = 'renamed')`
  )
]

const addUsers = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const user of users) {
    yield* sql`INSERT INTO "User" ("id", "email", "updatedAt") VALUES (${user}, gen_random_uuid()::text, now()) ON CONFLICT DO NOTHING`
  }
})

const callers: ReadonlyArray<CallerIdentity> = [
  everybody,
  ...[...users, "renamed"].map((userId) => ({ userId, seesAll: false, login: null }))
]
const filters = [
  [],
  [`task."status" = ANY(ARRAY['PENDING', 'RUNNING']::"TaskStatus"[])`],
  [`task."priority" = 'URGENT'`, `task."type" = 'SCHEDULED'`, `task."createdBy" = 'USER'`]
]

/** Compares all totals with the rows, each in one snapshot. */
const check = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const caller of callers) {
    for (const filter of filters) {
      const conditions = filter.map((condition) => sql.literal(condition))
      const [row] = yield* sql`
        SELECT (${countOf(sql, caller, conditions)}) AS total,
          (SELECT count(*)::int FROM "Task" task WHERE ${sql.and([visibleTo(sql, caller, "task"), ...conditions])}) AS counted`
      assert.strictEqual(row?.total, row?.counted, `${caller.userId}: ${filter.join(" AND ")}`)
    }
  }
})

layer(TestDatabase.withClient, { timeout: "60 seconds", excludeTestServices: true })("Totals of tasks", (it) => {
  for (const seed of [1, 2, 3]) {
    it.effect(`are right after every change and every fold, of mix ${seed}`, () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        for (let step = 0; step < 80; step++) {
          yield* addUsers
          const change = yield* Effect.flatten(Random.choice(changes))
          yield* (yield* Random.nextBoolean)
            ? sql.unsafe(change)
            : Effect.exit(sql.withTransaction(Effect.andThen(sql.unsafe(change), Effect.fail("undone"))))
          if (yield* Random.nextBoolean) yield* fold
          yield* check
        }
        assert.isAbove((yield* sql`SELECT 1 FROM "TaskCount" WHERE "count" <> 0`).length, 0)
      }).pipe(Random.withSeed(seed))
    )
  }

  it.effect("are right at every moment, while writers and folds of several replicas go on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* addUsers
      let written = 0
      const writer = Effect.gen(function* () {
        for (let step = 0; step < 60; step++) {
          // Writers of several rows may meet in a deadlock, or miss a user who is gone; that undoes the statement.
          const change = yield* Effect.flatten(Random.choice(changes))
          if (Exit.isSuccess(yield* Effect.exit(Effect.andThen(addUsers, sql.unsafe(change))))) written += 1
        }
      })
      const writing = yield* Effect.forkScoped(Effect.all([writer, writer, writer, writer], { concurrency: 4 }))
      yield* Effect.forkScoped(Effect.forever(Effect.all([fold, fold, fold], { concurrency: 3 })))
      while (writing.pollUnsafe() === undefined) yield* check
      assert.isAbove(written, 100)
      yield* fold
      yield* check
    }).pipe(Effect.scoped)
  )

  it.effect("are those of the tasks that were there before", () =>
    Effect.gen(function* () {
      const old = (yield* readMigrations).filter(({ name }) => name < "20261126")
      const test = Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* migrateBy(old)
        yield* addUsers
        for (let n = 0; n < 20; n++) yield* sql.unsafe(yield* insert("NOTHING"))
        yield* migrate
        yield* check
        assert.isAbove((yield* sql`SELECT 1 FROM "TaskCount" WHERE "userId" IS NOT NULL`).length, 0)
      })
      yield* Effect.provide(test, clientLayer(yield* empty))
    }).pipe(Effect.scoped)
  )

  it.effect("are 0 when the table has been emptied at once", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* addUsers
      yield* sql.unsafe(yield* insert("NOTHING"))
      yield* fold
      yield* sql`TRUNCATE "User" CASCADE`
      yield* check
      assert.lengthOf(yield* sql`SELECT 1 FROM "Task"`, 0)
    })
  )

  it.effect("are folded to a row for each kind of task, for all and for each user", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`TRUNCATE "Task" CASCADE`
      yield* addUsers
      for (let n = 0; n < 20; n++) {
        yield* sql`INSERT INTO "Task" ("id", "description", "model", "updatedAt", "userId") VALUES (${`folded-${n}`}, 'd', '{}', now(), ${n % 2 === 0 ? "ada" : null})`
      }
      yield* fold
      yield* fold
      assert.lengthOf(yield* sql`SELECT 1 FROM "TaskCountChange"`, 0)
      assert.deepStrictEqual(yield* sql`SELECT "userId", "count"::int FROM "TaskCount" ORDER BY 1`, [
        { userId: "ada", count: 10 },
        { userId: null, count: 20 }
      ])
    })
  )
})
