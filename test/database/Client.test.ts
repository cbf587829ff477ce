import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { TestDatabase } from "../support/TestDatabase.ts"

const at = new Date("2026-01-02T03:04:05.678Z")

const insertTask = (id: string, description: string, model: string = "{}") =>
  Effect.flatMap(
    PgClient.PgClient,
    (sql) =>
      sql`INSERT INTO "Task" ("id", "description", "model", "createdAt", "updatedAt") VALUES (${id}, ${description}, ${model}::jsonb, ${at}, ${at})`
  )

layer(TestDatabase.withClient)("the client", (it) => {
  it.effect("gives json values back parsed, keys in their order", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const value = { zebra: 1, apple: [{ y: null, x: "ü" }], "10": true, mango: 1.5 }
      const [row] =
        yield* sql`SELECT ${JSON.stringify(value)}::json AS "value", json_build_object('b', 1, 'a', 2) AS "built"`
      assert.strictEqual(JSON.stringify(row?.value), JSON.stringify(value))
      assert.strictEqual(JSON.stringify(row?.built), '{"b":1,"a":2}')
    })
  )

  it.effect("keeps the key order of TaskEvent.payload", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const payload = '{"z":1,"a":{"c":1,"b":2}}'
      yield* sql`INSERT INTO "TaskEvent" ("taskId", "kind", "payload", "createdAt") VALUES ('order', 'x', ${payload}::json, ${at})`
      const [row] = yield* sql`SELECT "payload" FROM "TaskEvent" WHERE "taskId" = 'order'`
      assert.strictEqual(JSON.stringify(row?.payload), payload)
    })
  )

  it.effect("stores and reads instants as UTC", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* insertTask("utc", "x")
      const [row] = yield* sql`SELECT "createdAt", "createdAt"::text AS "text" FROM "Task" WHERE "id" = 'utc'`
      assert.deepStrictEqual(row, { createdAt: at, text: "2026-01-02 03:04:05.678" })
    })
  )

  it.effect("moves a row of 70 MB both ways", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const data = "A".repeat(70_000_000)
      yield* insertTask("large", "x")
      yield* sql`INSERT INTO "File" ("id", "name", "type", "size", "data", "updatedAt", "taskId") VALUES ('large', 'n', 't', 1, ${data}, ${at}, 'large')`
      const [row] = yield* sql<{
        file: { data: string }
      }>`SELECT json_build_object('data', "data") AS file FROM "File" WHERE "id" = 'large'`
      assert.strictEqual(row?.file.data.length, data.length)
    })
  )

  it.effect("hears of an event when its transaction commits, and of none that was rolled back", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const notifications = yield* sql.listen("bytebot_events")
      const insert = (kind: string) =>
        sql`INSERT INTO "TaskEvent" ("taskId", "kind", "createdAt") VALUES ('t', ${kind}, ${at}) RETURNING "id"`
      yield* Effect.flip(sql.withTransaction(Effect.andThen(insert("undone"), Effect.fail("rolled back"))))
      const [row] = yield* sql.withTransaction(insert("done"))
      const { payload } = yield* Queue.take(notifications)
      assert.strictEqual(payload, `{"id" : ${row?.id}, "taskId" : "t", "kind" : "done"}`)
      assert.strictEqual(typeof row?.id, "bigint")
    }).pipe(Effect.scoped)
  )
})
