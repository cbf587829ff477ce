import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Effect, Exit } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { batched } from "../../src/database/Batched.ts"
import { TestDatabase } from "../support/TestDatabase.ts"

const never = () => false

/** Stores numbers, and refuses negative ones; `sizes` of the statements that were asked for. */
const numbers = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE number (n int PRIMARY KEY CHECK (n >= 0))`
  const sizes: Array<number> = []
  const store = batched(
    (values: Arr.NonEmptyArray<number>) =>
      Effect.gen(function* () {
        sizes.push(values.length)
        yield* sql`INSERT INTO number SELECT value::int FROM json_array_elements_text(${JSON.stringify(values)}::json)`
        return Arr.map(values, (value) => `${value} is stored`)
      }),
    never
  )
  const stored = Effect.map(sql<{ n: number }>`SELECT n FROM number ORDER BY n`, (rows) => rows.map(({ n }) => n))
  return { store, stored, sizes }
})

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

describe("A batched statement", () => {
  it.live("is done by few statements, and each one gets its own answer", () =>
    Effect.gen(function* () {
      const { sizes, store, stored } = yield* numbers
      const answers = yield* Effect.forEach(upTo(200), store, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        answers,
        upTo(200).map((value) => `${value} is stored`)
      )
      assert.deepStrictEqual(yield* stored, upTo(200))
      assert.strictEqual(sizes[0], 1, "who comes first does not wait")
      assert.isAtMost(sizes.length, 6)
      assert.isAtMost(Math.max(...sizes), 64)
    }).pipe(Effect.provide(TestDatabase.withClient))
  )

  it.live("does not fail for the fault of another one", () =>
    Effect.gen(function* () {
      const { store, stored } = yield* numbers
      const exits = yield* Effect.forEach(
        upTo(100).map((value) => (value === 50 ? -1 : value)),
        (value) => Effect.exit(store(value)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        exits.flatMap((exit, index) => (Exit.isFailure(exit) ? [index] : [])),
        [50]
      )
      assert.deepStrictEqual(
        yield* stored,
        upTo(100).filter((value) => value !== 50)
      )
    }).pipe(Effect.provide(TestDatabase.withClient))
  )

  it.effect("fails together when the database is away", () =>
    Effect.gen(function* () {
      let asked = 0
      const away = new SqlError.SqlError({ reason: new SqlError.ConnectionError({ cause: new Error("away") }) })
      const store = batched((_: Arr.NonEmptyArray<number>) => {
        asked += 1
        return Effect.andThen(Effect.yieldNow, Effect.fail(away))
      }, never)
      const failures = yield* Effect.forEach(upTo(20), (value) => Effect.flip(store(value)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(new Set(failures), new Set([away]))
      assert.strictEqual(asked, 2)
    })
  )

  it.live("a batch goes on after one of its callers was interrupted", () =>
    Effect.gen(function* () {
      const { store, stored } = yield* numbers
      yield* Effect.forEach(
        upTo(50),
        (value) =>
          value % 2 === 0 ? Effect.asVoid(store(value)) : Effect.asVoid(Effect.timeoutOption(store(value), 0)),
        { concurrency: "unbounded" }
      )
      yield* store(50)
      assert.includeMembers(
        [...(yield* stored)],
        upTo(51).filter((value) => value % 2 === 0)
      )
    }).pipe(Effect.provide(TestDatabase.withClient))
  )
})
