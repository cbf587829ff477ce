import { readFileSync } from "node:fs"
import { gzipSync } from "node:zlib"
import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { differences } from "../support/Recording.ts"
import { type Answer, RestService, recordedModels, type Sent } from "./RestService.ts"

/** Every recorded request of the original, in its order, against the real service (test/fixtures/golden/rest.json). */

const Case = Schema.Struct({
  name: Schema.String,
  request: Schema.Struct({
    method: Schema.String,
    path: Schema.String,
    headers: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number])),
    body: Schema.optionalKey(Schema.String)
  }),
  response: Schema.Struct({
    status: Schema.Int,
    headers: Schema.Record(Schema.String, Schema.String),
    bodyText: Schema.String
  }),
  db: Schema.optionalKey(
    Schema.Struct({
      messages: Schema.optionalKey(Schema.Json),
      files: Schema.optionalKey(Schema.Json),
      after: Schema.optionalKey(Schema.Struct({ status: Schema.String, control: Schema.String }))
    })
  )
})
type Case = typeof Case.Type

const { cases } = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({ cases: Schema.Array(Case) })))(
  readFileSync(new URL("../fixtures/golden/rest.json", import.meta.url), "utf8")
)

/** Recorded 2xx that the contract's page overrules: all are 400 now, by the sentence beside each. */
const overruled: Readonly<Record<string, string>> = {
  "create description empty": "A missing or empty `description` → 400.",
  "create model string": "A `model` that is not an object with string `provider` and `name` → 400.",
  "create model empty object": "A `model` that is not an object with string `provider` and `name` → 400.",
  "list ?limit=1000000": "A `limit` above 10000 → 400 (the web UI asks for 1000).",
  "add message empty": "`message` missing, empty or not a string → we say 400 (the original stores rubbish).",
  "add message missing": "`message` missing, empty or not a string → we say 400 (the original stores rubbish).",
  "add message number": "`message` missing, empty or not a string → we say 400 (the original stores rubbish).",
  "messages?limit=-2": "`limit ≥ 0`, a negative limit → 400.",
  "messages/raw?limit=-2": "`limit ≥ 0`, a negative limit → 400.",
  "messages/processed?limit=-2": "`limit ≥ 0`, a negative limit → 400."
}

/** Recorded 400 whose message is ours: "JSON must be an object (a bare string → 400)". */
const reworded = new Set(["create JSON string (strict)"])

/** Recorded 500 of what the original documents and we provide: "`POST /tasks` as `multipart/form-data` … → 201". */
const provided = new Set(["create multipart"])

const model =
  '{"provider":"anthropic","name":"claude-opus-4-1-20250805","title":"Claude Opus 4.1","contextWindow":200000}'

/** A body of `bytes` bytes in all. */
const paddedTask = (bytes: number) => {
  const rest = `{"description":"","model":${model}}`
  return `{"description":"${"x".repeat(bytes - rest.length)}","model":${model}}`
}

/** Bodies that the recording only describes. */
const bodies: Readonly<Record<string, string | Uint8Array>> = {
  "create gzip body": gzipSync(`{"description":"gz","model":${model}}`),
  "create 150KB description (default limit is 100kb)": paddedTask(150_134),
  "create 51MB body": paddedTask(53_000_134)
}

const ids = new Map<string, string>()
const unmasked = (text: string) => text.replaceAll(/<uuid:[^>]+>/g, (name) => ids.get(name) ?? name)
/** The recorder masked every instant but those that the requests had named, in 2099. */
const masked = (text: string) =>
  [...ids]
    .reduce((shown, [name, id]) => shown.replaceAll(id, name), text)
    .replaceAll(/20[0-8]\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "<iso>")

/** What the recorder wrote into the database by itself before some cases. */
const prepare = Effect.fnUntraced(function* ({ name, request }: Case) {
  const { sql } = yield* RestService
  if (name === "root") {
    ids.set("<uuid:blocker>", "b10c4e50-0000-4000-8000-000000000000")
    yield* sql`
      INSERT INTO "Task" ("id", "description", "status", "executedAt", "updatedAt", "model")
      VALUES (${unmasked("<uuid:blocker>")}, 'blocker', 'RUNNING', now(), now(), ${model}::jsonb)`
  }
  if (name === "list default") {
    const kept = ["<uuid:1>", "<uuid:2>", "<uuid:3>", "<uuid:blocker>"].map(unmasked)
    yield* sql`DELETE FROM "Task" WHERE NOT ${sql.in("id", kept)}`
  }
  if (name === "messages") {
    const taskId = unmasked("<uuid:1>")
    const all = recordedMessages()
    yield* sql`DELETE FROM "Message" WHERE "taskId" = ${taskId}`
    yield* Effect.forEach(
      all,
      ({ content, id, role }) => sql`
        INSERT INTO "Message" ("id", "content", "role", "createdAt", "updatedAt", "taskId")
        VALUES (${id}, ${JSON.stringify(content)}::jsonb, ${role}::"Role", now(), now(), ${taskId})`,
      { discard: true }
    )
  }
  const [, status, control] = / from ([A-Z_]+)\/([A-Z]+)$/.exec(name) ?? []
  if (status !== undefined && control !== undefined) {
    yield* sql`
      UPDATE "Task" SET "status" = ${status}::"TaskStatus", "control" = ${control}::"Role" WHERE "id" = ${taskIdOf(request.path)}`
  }
})

const RecordedMessage = Schema.Struct({ id: Schema.String, content: Schema.Array(Schema.Json), role: Schema.String })
const RecordedMessages = Schema.fromJsonString(Schema.Array(RecordedMessage))

/** The rows behind the cases on messages: the first ten are shown by one case, the others by another. */
const recordedMessages = () => {
  const shownBy = (name: string) => {
    const found = cases.find((one) => one.name === name)
    return Schema.decodeUnknownSync(RecordedMessages)(found?.response.bodyText)
  }
  return [...shownBy("messages"), ...shownBy("messages?limit=-2")]
}

const taskIdOf = (path: string) => unmasked(path).split("/")[2] ?? ""

const sentBy = ({ name, request }: Case): Sent => {
  const headers = Object.entries(request.headers).map(([header, value]) => [header, unmasked(String(value))])
  return {
    method: request.method,
    path: unmasked(request.path),
    headers: Object.fromEntries(name in bodies ? headers.filter(([header]) => header !== "content-length") : headers),
    body: bodies[name] ?? request.body
  }
}

const jsonType = "application/json; charset=utf-8"
const ErrorBody = Schema.fromJsonString(
  Schema.Struct({ message: Schema.NonEmptyString, error: Schema.String, statusCode: Schema.Int })
)

/** A 4xx of ours for a bad input: the error body of the contract, with its keys first and in order. */
const assertRefusal = (answer: Answer) => {
  assert.isTrue(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.text}`)
  assert.strictEqual(answer.headers["content-type"], jsonType)
  assert.strictEqual(Schema.decodeUnknownSync(ErrorBody)(answer.text).statusCode, answer.status)
  assert.match(answer.text, /^\{"message":".*","error":".*","statusCode":4\d\d[,}]/)
}

/** Byte for byte as recorded, but for what is masked. */
const assertRecorded = ({ name, response }: Case, answer: Answer) => {
  assert.strictEqual(answer.status, response.status, answer.text)
  for (const header of Object.keys(response.headers).filter((one) => !ofConnection.has(one))) {
    if (header === "etag") {
      const pattern = (response.headers[header] ?? "").replace("<hash>", "[A-Za-z0-9+/]{27}")
      assert.match(answer.headers.etag ?? "", new RegExp(`^${pattern}$`))
    } else {
      assert.strictEqual(answer.headers[header], response.headers[header], header)
    }
  }
  if (/^<\d+ chars>$/.test(response.bodyText)) {
    assert.match(answer.text, /^\{"id":.*"model":\{"name":.*\}\}$/)
  } else if (answer.headers["content-type"] === jsonType && answer.text !== "") {
    assert.deepStrictEqual(differences(JSON.parse(unmasked(response.bodyText)), JSON.parse(answer.text), ids), [], name)
    assert.strictEqual(masked(answer.text), response.bodyText)
  } else {
    assert.strictEqual(answer.text, response.bodyText)
  }
}

const ofConnection = new Set(["x-powered-by", "date", "connection"])

/** What is stored of a task, as the recorder read it. */
const stored = Effect.fnUntraced(function* (taskId: string) {
  const { sql } = yield* RestService
  const messages = yield* sql`SELECT "content", "role" FROM "Message" WHERE "taskId" = ${taskId} ORDER BY "position"`
  const files = yield* sql`SELECT "name", "type", "size", "data" FROM "File" WHERE "taskId" = ${taskId} ORDER BY "name"`
  return { messages, files }
})

const countRows = Effect.gen(function* () {
  const { sql } = yield* RestService
  return yield* sql`SELECT (SELECT count(*)::int FROM "Task") AS tasks, (SELECT count(*)::int FROM "Message") AS messages`
})

layer(RestService.layer(recordedModels), { excludeTestServices: true })("REST recordings", (it) => {
  it.effect.each(cases)("$name", (recorded) =>
    Effect.gen(function* () {
      const { send, sql } = yield* RestService
      yield* prepare(recorded)
      const before = yield* countRows
      const answer = yield* send(sentBy(recorded))

      assert.strictEqual(answer.headers["access-control-allow-origin"], "*")
      assert.isUndefined(answer.headers["x-powered-by"])
      const { db, name, request, response } = recorded
      if (name in overruled) {
        assert.strictEqual(answer.status, 400, overruled[name])
        assertRefusal(answer)
      } else if (provided.has(name)) {
        assert.strictEqual(answer.status, 201, answer.text)
      } else if (response.status === 500 || reworded.has(name)) {
        assertRefusal(answer)
      } else {
        assertRecorded(recorded, answer)
      }

      if (answer.status >= 400) assert.deepStrictEqual(yield* countRows, before)
      if (answer.status === 201 && request.path === "/tasks" && db?.messages !== undefined) {
        const { id } = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({ id: Schema.String })))(
          answer.text
        )
        assert.deepStrictEqual<unknown>(yield* stored(id), { messages: db.messages, files: db.files })
      }
      if (request.method === "DELETE" && answer.status === 204) {
        assert.deepStrictEqual(yield* stored(taskIdOf(request.path)), { messages: [], files: [] })
      }
      if (db?.after !== undefined) {
        const rows = yield* sql`SELECT "status", "control" FROM "Task" WHERE "id" = ${taskIdOf(request.path)}`
        assert.deepStrictEqual(rows, [{ status: db.after.status, control: db.after.control }])
      }
    })
  )

  it("the exceptions of this test name recordings that exist", () => {
    const names = new Set(cases.map((one) => one.name))
    for (const name of [...Object.keys(overruled), ...reworded, ...provided, ...Object.keys(bodies)])
      assert.isTrue(names.has(name), name)
  })
})
