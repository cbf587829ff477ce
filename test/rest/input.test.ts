import { assert, describe, it, layer } from "@effect/vitest"
import { Arbitrary, DateTime, Effect, Option, Schema } from "effect"
import { Base64Text, InstantText, queryList, queryNumber } from "../../src/api/RequestFields.ts"
import { TaskStatus } from "../../src/domain/Task.ts"
import { RestService, recordedModels } from "./RestService.ts"

const bodyOf = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)))

layer(RestService.layer(recordedModels), { excludeTestServices: true })("Input", (it) => {
  const model = { provider: "anthropic", name: "m" }
  const file = { name: "a.txt", base64: "AAEC", type: "text/plain", size: 3 }

  const refusals: ReadonlyArray<readonly [object, string]> = [
    [{ description: 5 }, "description: expected text that is not empty"],
    [{ description: "" }, "description: expected text that is not empty"],
    [{ description: null }, "description: expected text that is not empty"],
    [{ description: "a\0b" }, "description: expected text without NUL characters"],
    [{ type: "BOGUS" }, "type: expected one of IMMEDIATE, SCHEDULED"],
    [{ type: 5 }, "type: expected one of IMMEDIATE, SCHEDULED"],
    [{ priority: "high" }, "priority: expected one of LOW, MEDIUM, HIGH, URGENT"],
    [{ createdBy: "BOT" }, "createdBy: expected one of USER, ASSISTANT"],
    [
      { scheduledFor: "2099-01-01" },
      "scheduledFor: expected an ISO 8601 date with time and zone, such as 2030-01-31T09:00:00Z"
    ],
    [{ scheduledFor: 4070908800000 }, "scheduledFor: expected an ISO 8601 date with time and zone"],
    [{ model: "claude" }, "model: expected an object with provider and name"],
    [{ model: null }, "model: expected an object with provider and name"],
    [{ model: [] }, "model: expected an object with provider and name"],
    [{ model: { provider: "anthropic" } }, "model.name: it is missing"],
    [{ model: { ...model, name: "" } }, "model.name: expected text that is not empty"],
    [{ model: { ...model, provider: "\0" } }, "model.provider: expected text without NUL characters"],
    [{ model: { ...model, contextWindow: 0 } }, "model.contextWindow: expected a number of tokens above 0"],
    [{ model: { ...model, contextWindow: -1 } }, "model.contextWindow: expected a number of tokens above 0"],
    [{ model: { ...model, contextWindow: "many" } }, "model.contextWindow: expected a number of tokens above 0"],
    [{ files: "x" }, "files: expected a list of files"],
    [{ files: [{ ...file, name: "" }] }, "files[0].name: expected text that is not empty"],
    [
      { files: [file, { ...file, base64: "no!" }] },
      "files[1].base64: expected base64 data, or a data URL with base64 data"
    ],
    [{ files: [{ ...file, size: -1 }] }, "files[0].size: expected a size in bytes from 0 to 2147483647"],
    [{ files: [{ ...file, size: 2 ** 31 }] }, "files[0].size: expected a size in bytes from 0 to 2147483647"],
    [{ files: [{ ...file, size: 1.5 }] }, "files[0].size: expected a size in bytes from 0 to 2147483647"],
    [{ files: [{ ...file, size: "3" }] }, "files[0].size: expected a size in bytes from 0 to 2147483647"],
    [{ files: [{ ...file, type: "\0" }] }, "files[0].type: expected text without NUL characters"]
  ]

  it.effect.each(refusals)("refuses an invalid field of a new task with a sentence: %j", ([fields, message]) =>
    Effect.gen(function* () {
      const { post } = yield* RestService
      const answer = yield* post("/tasks", { description: "x", model, ...fields })
      assert.strictEqual(answer.text, JSON.stringify({ message, error: "Bad Request", statusCode: 400 }))
      assert.strictEqual(answer.status, 400)
    })
  )

  it.effect("takes the default for a blank field of a new task", () =>
    Effect.gen(function* () {
      const { post } = yield* RestService
      for (const blank of ["", null]) {
        const fields = { type: blank, priority: blank, createdBy: blank, scheduledFor: blank, files: blank }
        const answer = yield* post("/tasks", { description: "x", ...fields })
        assert.strictEqual(answer.status, 201, answer.text)
        const task = bodyOf(answer.text)
        assert.deepStrictEqual(
          [task.type, task.priority, task.createdBy, task.scheduledFor],
          ["IMMEDIATE", "MEDIUM", "USER", null]
        )
        assert.propertyVal(task.model, "name", "claude-opus-4-1-20250805")
      }
    })
  )

  it.effect("stores text with halves of surrogate pairs", () =>
    Effect.gen(function* () {
      const { post, send } = yield* RestService
      const odd = "odd \ud800 text"
      const answer = yield* post("/tasks", {
        description: odd,
        model: { provider: odd, name: odd, title: odd },
        files: [{ ...file, name: odd, type: odd }]
      })
      assert.strictEqual(answer.status, 201, answer.text)
      const task = bodyOf(answer.text)
      assert.strictEqual(task.description, "odd \ufffd text")
      assert.strictEqual((yield* post(`/tasks/${task.id}/messages`, { message: odd })).status, 201)
      assert.match((yield* send({ path: `/tasks/${task.id}/messages` })).text, /odd \ufffd text/)
    })
  )

  it.effect("refuses a message that is not text", () =>
    Effect.gen(function* () {
      const { post } = yield* RestService
      for (const message of [undefined, null, "", 5, {}, "a\0"]) {
        const answer = yield* post("/tasks/any/messages", { message })
        assert.strictEqual(answer.status, 400)
        assert.match(answer.text, /^\{"message":"message: .*","error":"Bad Request","statusCode":400\}$/)
      }
    })
  )

  it.effect("reads query parameters as the original does", () =>
    Effect.gen(function* () {
      const { post, send } = yield* RestService
      const count = 3
      yield* Effect.forEach(Array.from({ length: count }), () => post("/tasks", { description: "x", model }))
      const { total } = bodyOf((yield* send({ path: "/tasks" })).text)
      const accepted: ReadonlyArray<readonly [string, { readonly shown: number; readonly totalPages: unknown }]> = [
        ["limit=2", { shown: 2, totalPages: Math.ceil(Number(total) / 2) }],
        ["limit=2.9&page=1.9", { shown: 2, totalPages: Math.ceil(Number(total) / 2) }],
        ["limit=1abc&page=%20%2B1", { shown: 1, totalPages: total }],
        ["limit=1&page=1&page=9", { shown: 1, totalPages: total }],
        ["limit=0", { shown: 0, totalPages: null }],
        ["limit=10000&page=2147483647", { shown: 0, totalPages: 1 }],
        ["limit=1&page=&status=&statuses=", { shown: 1, totalPages: total }],
        ["limit=1&status[]=BOGUS&unknown=1", { shown: 1, totalPages: total }],
        ["limit=1&statuses=PENDING&status=BOGUS", { shown: 1, totalPages: total }],
        ["statuses=FAILED,CANCELLED&status=PENDING", { shown: 0, totalPages: 0 }],
        ["statuses=&status=FAILED", { shown: 0, totalPages: 0 }]
      ]
      for (const [query, expected] of accepted) {
        const answer = yield* send({ path: `/tasks?${query}` })
        assert.strictEqual(answer.status, 200, query + answer.text)
        const { tasks, totalPages } = bodyOf(answer.text)
        assert.deepStrictEqual({ shown: Array.isArray(tasks) ? tasks.length : -1, totalPages }, expected, query)
      }
      const refused = [
        "page=0",
        "page=-1",
        "page=abc",
        "page=99999999999999999999",
        "page=Infinity",
        "limit=-1",
        "limit=10001",
        "limit=x1",
        "status=BOGUS",
        "status=pending",
        "status=PENDING&status=FAILED",
        "statuses=PENDING,BOGUS",
        "statuses=PENDING,%20FAILED",
        "statuses=,PENDING",
        "statuses=PENDING%00"
      ]
      for (const query of refused) {
        const answer = yield* send({ path: `/tasks?${query}` })
        assert.strictEqual(answer.status, 400, query)
        assert.match(
          answer.text,
          /^\{"message":"(page|limit|status|statuses): expected .*","error":"Bad Request","statusCode":400\}$/
        )
      }
    })
  )
})

const option = <A, I>(schema: Schema.Codec<A, I>) => Schema.decodeUnknownOption(schema)

describe("Numbers of a query", () => {
  const read = option(queryNumber(1, 1000))

  it.prop(
    "numbers in a query are what parseInt makes of them, within the limits",
    [Schema.Union([Schema.Int, Schema.Finite, Schema.String])],
    ([value]) => {
      const text = String(value)
      const number = Number.parseInt(text, 10)
      const expected =
        text === "" ? Option.some(undefined) : number >= 1 && number <= 1000 ? Option.some(number) : Option.none()
      assert.deepStrictEqual(read(text), expected)
    }
  )

  it.prop(
    "numbers in a query may be followed by anything but digits",
    [Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })), Schema.String],
    ([number, rest]) => {
      if (/^\d/.test(rest)) return
      assert.deepStrictEqual(read(`${number}${rest}`), Option.some(number))
    }
  )

  it.prop(
    "come back from their own spelling",
    [Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))],
    ([number]) => {
      assert.deepStrictEqual(read(Schema.encodeSync(queryNumber(1, 1000))(number)), Option.some(number))
    }
  )
})

describe("Lists of a query", () => {
  const list = queryList(TaskStatus)

  it.prop("come back from their own spelling", [Schema.NonEmptyArray(TaskStatus)], ([statuses]) => {
    assert.deepStrictEqual(option(list)(Schema.encodeSync(list)(statuses)), Option.some(statuses))
  })

  it.prop(
    "a list in a query with one unknown status is refused",
    [Schema.Array(TaskStatus), Schema.NonEmptyString],
    ([statuses, word]) => {
      if (word.split(",").every(Schema.is(TaskStatus))) return
      assert.deepStrictEqual(option(list)([...statuses, word].join(",")), Option.none())
    }
  )
})

describe("Instants", () => {
  const read = (text: string) => Option.map(option(InstantText)(text), DateTime.formatIso)

  it("instants are read in ISO 8601's spellings with time and zone", () => {
    const noon = Option.some("2030-01-31T12:00:00.000Z")
    for (const text of [
      "2030-01-31T12:00:00.000Z",
      "2030-01-31T12:00:00Z",
      "2030-01-31T12:00Z",
      "2030-01-31t12:00:00z"
    ]) {
      assert.deepStrictEqual(read(text), noon, text)
    }
    for (const zone of ["14:00:00+02:00", "14:00:00+0200", "14:00:00+02", "06:30:00,000-05:30"]) {
      assert.deepStrictEqual(read(`2030-01-31T${zone}`), noon, zone)
    }
    assert.deepStrictEqual(read("2030-01-31T12:00:00.123987Z"), Option.some("2030-01-31T12:00:00.123Z"))
    assert.deepStrictEqual(read("2028-02-29T00:00:00Z"), Option.some("2028-02-29T00:00:00.000Z"))
  })

  it("instants need a time, a zone, an existing day, and a year of four digits", () => {
    for (const text of [
      "2030-01-31",
      "2030-01-31T12:00:00",
      "2030-01-31 12:00:00Z",
      "tomorrow",
      "1912680000000",
      "2030-02-29T00:00:00Z",
      "2030-04-31T00:00:00Z",
      "2030-13-01T00:00:00Z",
      "2030-01-00T00:00:00Z",
      "2030-01-31T25:00:00Z",
      "+010000-01-01T00:00:00Z",
      "0000-01-01T00:00:00Z",
      "0001-01-01T00:00:00+01:00",
      "9999-12-31T23:59:59-01:00"
    ]) {
      assert.deepStrictEqual(read(text), Option.none(), text)
    }
  })

  it.prop(
    "come back from their own spelling",
    [Schema.Int.check(Schema.isBetween({ minimum: -62_135_596_800_000, maximum: 253_402_300_799_999 }))],
    ([millis]) => {
      const spelled = new Date(millis).toISOString()
      assert.deepStrictEqual(read(spelled), Option.some(spelled))
    }
  )
})

describe("Base64", () => {
  const read = option(Base64Text)
  const bytes = Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))))

  it.prop("base64 is kept as tolerant readers see it, without the prefix of a data URL", [bytes], ([list]) => {
    const text = Buffer.from(list).toString("base64")
    assert.deepStrictEqual(read(text), Option.some(text))
    assert.deepStrictEqual(read(`data:text/plain;charset=utf-8;base64,${text}`), Option.some(text))
    assert.deepStrictEqual(read(text.replaceAll(/(.{4})/g, "$1\r\n")), Option.some(text))
    const unpadded = text.replaceAll("=", "")
    assert.deepStrictEqual(read(unpadded), Option.some(unpadded))
  })

  it("text that is not base64 is refused", () => {
    for (const text of [
      "A",
      "AAAAA",
      "AA=A",
      "AAA==",
      "A===",
      "AA-_",
      "hello!",
      "data:text/plain,hello",
      "é",
      "AA\0A"
    ]) {
      assert.deepStrictEqual(read(text), Option.none(), text)
    }
  })

  it("base64 may be as large as a body", () => {
    const text = "A".repeat(48 * 1024 * 1024)
    assert.isTrue(Option.isSome(read(text)))
    assert.isTrue(Option.isNone(read(`${text}!AAA`)))
    assert.isTrue(Option.isNone(read(`data:${text};base64,AAAA`)))
  })
})
