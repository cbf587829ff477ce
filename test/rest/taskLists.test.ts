import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { RestService, recordedModels } from "./RestService.ts"

/** Filters, search and cursors of `GET /tasks`, and what is in progress. */

const decodeId = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({ id: Schema.String })))
const decodePage = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      tasks: Schema.Array(Schema.Struct({ id: Schema.String, description: Schema.String })),
      total: Schema.Int,
      totalPages: Schema.NullOr(Schema.Int),
      next: Schema.optionalKey(Schema.NullOr(Schema.String))
    })
  )
)

const create = Effect.fnUntraced(function* (description: string, more: object = {}) {
  const { post } = yield* RestService
  return decodeId((yield* post("/tasks", { description, ...more })).text).id
})

const list = Effect.fnUntraced(function* (query: string) {
  const { send } = yield* RestService
  const answer = yield* send({ path: `/tasks?${query}` })
  assert.strictEqual(answer.status, 200, answer.text)
  return decodePage(answer.text)
})

const descriptions = (query: string) =>
  Effect.map(list(query), ({ tasks }) => tasks.map(({ description }) => description))

layer(RestService.layer(recordedModels), { excludeTestServices: true })("Lists of tasks", (it) => {
  it.effect("filters tasks by priority, type and creator, one or several of each, and by all conditions together", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* RestService
      yield* sql`DELETE FROM "Task"`
      yield* create("low", { priority: "LOW" })
      yield* create("urgent", { priority: "URGENT", createdBy: "ASSISTANT" })
      yield* create("later", { priority: "URGENT", type: "SCHEDULED", scheduledFor: "2099-01-01T00:00:00Z" })
      assert.deepStrictEqual(yield* descriptions("priority=LOW"), ["low"])
      assert.deepStrictEqual(yield* descriptions("priority=URGENT,LOW"), ["later", "urgent", "low"])
      assert.deepStrictEqual(yield* descriptions("type=SCHEDULED"), ["later"])
      assert.deepStrictEqual(yield* descriptions("createdBy=ASSISTANT&priority="), ["urgent"])
      const both = yield* list("createdBy=USER&priority=URGENT&status=PENDING&limit=1")
      assert.deepStrictEqual([both.tasks.length, both.total, both.totalPages], [1, 1, 1])
      assert.deepStrictEqual(yield* descriptions("priority=URGENT&statuses=FAILED"), [])
      for (const query of ["priority=high", "type=x", "createdBy=LOW", "priority=LOW,"]) {
        assert.strictEqual((yield* send({ path: `/tasks?${query}` })).status, 400, query)
      }
    })
  )

  it.effect("a list of large tasks has the text of each task alone, in one piece or many", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* RestService
      yield* sql`DELETE FROM "Task"`
      for (const size of [10, 3_000_000, 10, 1_500_000, 2_000_000]) yield* create("ü".repeat(size / 2))
      const whole = (yield* send({ path: "/tasks?limit=5" })).text
      const pages = yield* Effect.forEach([1, 2, 3, 4, 5], (page) => send({ path: `/tasks?limit=1&page=${page}` }))
      const texts = pages.map(({ text }) => text.slice('{"tasks":['.length, text.lastIndexOf("],")))
      assert.isTrue(whole === `{"tasks":[${texts.join()}],"total":5,"totalPages":1}`)
      const { next, tasks } = yield* list("limit=3&after=")
      assert.deepStrictEqual(
        tasks.map(({ description }) => description.length),
        [1_000_000, 750_000, 5]
      )
      assert.strictEqual((yield* list(`limit=3&after=${next}`)).next, null)
    })
  )

  it.effect("finds tasks by beginnings of words of the description, in any case", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* RestService
      yield* sql`DELETE FROM "Task"`
      yield* create("Open the browser and look up the Weather")
      yield* create("Write to ada@example.org about /var/log/syslog")
      yield* create("Grüße aus Köln: it's 'quoted' & done")
      const found = (q: string) => Effect.map(descriptions(`q=${encodeURIComponent(q)}`), (all) => all.length)
      for (const q of [
        "weather",
        "WEATH",
        "brow look",
        "ada@example.org",
        "example",
        "/var/log",
        "log/sys",
        "it's",
        "köln"
      ])
        assert.strictEqual(yield* found(q), 1, q)
      for (const q of ["eather", "weather ada", "!", "' | '", ":* & \\", "<->"])
        assert.strictEqual(yield* found(q), 0, q)
      assert.strictEqual(yield* found(""), 3)
      const narrowed = yield* list("q=the&limit=1")
      assert.deepStrictEqual([narrowed.total, narrowed.tasks.length], [1, 1])
      assert.strictEqual((yield* send({ path: `/tasks?q=${"x".repeat(1001)}` })).status, 400)
      assert.strictEqual((yield* send({ path: "/tasks?q=%00" })).status, 400)
    })
  )

  it.effect("takes descriptions of any size, and finds tasks by their beginnings", () =>
    Effect.gen(function* () {
      const { send } = yield* RestService
      const many = Array.from({ length: 300_000 }, (_, index) => `word${index}`).join(" ")
      assert.isNotEmpty(yield* create(`beginning ${many}`))
      assert.isNotEmpty(yield* create("x".repeat(3_000_000)))
      const answer = yield* send({ path: "/tasks?q=beginning+word1000&limit=0" })
      assert.strictEqual(decodePage(answer.text).total, 1)
    })
  )

  it.effect("a cursor goes through all tasks once while others are created and deleted", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* RestService
      yield* sql`DELETE FROM "Task"`
      const ids = yield* Effect.forEach(Array.from({ length: 7 }), () => create("paged"))
      // The same instant for some: the position tells them apart.
      yield* sql`UPDATE "Task" SET "createdAt" = now() - interval '1 hour' WHERE ${sql.in("id", ids.slice(0, 4))}`
      const seen: Array<string> = []
      let after: string | null = ""
      while (after !== null) {
        const page: ReturnType<typeof decodePage> = yield* list(`limit=2&q=paged&page=9&after=${after}`)
        seen.push(...page.tasks.map(({ id }) => id))
        if (after === "") yield* sql`DELETE FROM "Task" WHERE "id" = ${seen[1] ?? ""}`
        yield* create("paged")
        after = page.next ?? null
      }
      assert.deepStrictEqual(seen, ids.toReversed())
      assert.notProperty(yield* list("limit=2"), "next")
      assert.isNull((yield* list("limit=0&after=")).next)
      assert.isNull((yield* list("limit=10000&after=")).next)
      for (const cursor of ["x", "1-", "-1", "1-1-1", "1%271", "99999999999999999-1"])
        assert.strictEqual((yield* send({ path: `/tasks?after=${cursor}` })).status, 400, cursor)
    })
  )

  it.effect("gives the task in progress that was taken up last, or null", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* RestService
      yield* sql`DELETE FROM "Task"`
      assert.strictEqual((yield* send({ path: "/tasks/in-progress" })).text, "null")
      const [first, second] = [yield* create("first"), yield* create("second")]
      yield* sql`UPDATE "Task" SET "status" = 'RUNNING', "executedAt" = now() WHERE "id" = ${first}`
      yield* sql`UPDATE "Task" SET "status" = 'RUNNING', "executedAt" = now() - interval '1 minute' WHERE "id" = ${second}`
      assert.strictEqual(decodeId((yield* send({ path: "/api/tasks/in-progress/" })).text).id, first)
    })
  )

  it.effect("a search uses the index of words", () =>
    Effect.gen(function* () {
      const { sql } = yield* RestService
      const plan = yield* sql
        .withTransaction(
          Effect.gen(function* () {
            yield* sql`SET LOCAL enable_seqscan = off`
            return yield* sql`EXPLAIN SELECT 1 FROM "Task" task WHERE "descriptionWords"(task."description") @@ to_tsquery('simple', 'a:*')`
          })
        )
        .pipe(Effect.map((rows) => JSON.stringify(rows)))
      assert.include(plan, "Task_description_idx")
    })
  )
})
