import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type Answer, RestService, recordedModels } from "./RestService.ts"

const Created = Schema.Struct({ description: Schema.String, model: Schema.Json })
const created = (answer: Answer) => {
  assert.strictEqual(answer.status, 201, answer.text)
  return Schema.decodeUnknownSync(Schema.fromJsonString(Created))(answer.text)
}

const assertError = (answer: Answer, status: number, body: unknown) => {
  assert.strictEqual(answer.status, status, answer.text)
  assert.strictEqual(answer.text, JSON.stringify(body))
  assert.strictEqual(answer.headers["access-control-allow-origin"], "*")
}
const badRequest = (message: string) => ({ message, error: "Bad Request", statusCode: 400 })
const tooLarge = { statusCode: 413, message: "request entity too large" }

const task = JSON.stringify({ description: "a body" })
const json = { "content-type": "application/json" }
const megabytes = (count: number) => count * 1024 * 1024

layer(RestService.layer(recordedModels), { excludeTestServices: true })("Request bodies", (it) => {
  const create = (body: string | Uint8Array | undefined, headers: Readonly<Record<string, string>>) =>
    Effect.flatMap(RestService, ({ send }) => send({ method: "POST", path: "/tasks", headers, body }))

  it.effect("decompresses request bodies", () =>
    Effect.gen(function* () {
      const compressors = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, GZIP: gzipSync }
      for (const [encoding, compress] of Object.entries(compressors)) {
        const answer = yield* create(compress(task), { ...json, "content-encoding": encoding })
        assert.strictEqual(created(answer).description, "a body")
      }
      const identity = yield* create(task, { ...json, "content-encoding": "identity" })
      assert.strictEqual(created(identity).description, "a body")
    })
  )

  it.effect("refuses request bodies that do not decompress", () =>
    Effect.gen(function* () {
      const cut = gzipSync(task).subarray(0, 20)
      for (const body of ["not compressed", cut]) {
        const answer = yield* create(body, { ...json, "content-encoding": "gzip" })
        assertError(answer, 400, badRequest("The body is not valid gzip data"))
      }
      assertError(yield* create(task, { ...json, "content-encoding": "zstd" }), 415, {
        statusCode: 415,
        message: 'unsupported content encoding "zstd"'
      })
    })
  )

  it.effect("takes request bodies of up to 50 MB, as sent and decompressed", () =>
    Effect.gen(function* () {
      const padded = (bytes: number) => `{"description":"x","pad":"${" ".repeat(bytes - 28)}"}`
      assert.strictEqual(padded(100).length, 100)
      assert.strictEqual(created(yield* create(padded(megabytes(50)), json)).description, "x")
      assertError(yield* create(padded(megabytes(50) + 1), json), 413, tooLarge)
      const chunked = { ...json, "transfer-encoding": "chunked" }
      assert.strictEqual(created(yield* create(padded(megabytes(50)), chunked)).description, "x")
      assertError(yield* create(padded(megabytes(50) + 1), chunked), 413, tooLarge)
      const compressed = { ...json, "content-encoding": "gzip" }
      assert.strictEqual(created(yield* create(gzipSync(padded(megabytes(50))), compressed)).description, "x")
      assertError(yield* create(gzipSync(padded(megabytes(50) + 1)), compressed), 413, tooLarge)
    })
  )

  it.effect("reads JSON in utf-8 and utf-16", () =>
    Effect.gen(function* () {
      const text = '{"description":"héllo 🌍"}'
      const spellings: ReadonlyArray<readonly [string, Buffer]> = [
        ["UTF-8", Buffer.from(text)],
        ['"utf-8"', Buffer.from(`\uFEFF${text}`)],
        ["utf-16", Buffer.from(text, "utf16le")],
        ["utf-16", Buffer.from(`\uFEFF${text}`, "utf16le").swap16()],
        ["utf-16be", Buffer.from(text, "utf16le").swap16()]
      ]
      for (const [charset, body] of spellings) {
        const answer = yield* create(body, { "content-type": `application/json; charset=${charset}` })
        assert.strictEqual(created(answer).description, "héllo 🌍")
      }
      for (const charset of ["iso-8859-1", "utf-99"]) {
        assertError(yield* create(text, { "content-type": `application/json;charset=${charset}` }), 415, {
          statusCode: 415,
          message: `unsupported charset "${charset.toUpperCase()}"`
        })
      }
    })
  )

  it.effect("reads urlencoded bodies with nested fields", () =>
    Effect.gen(function* () {
      const form = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" }
      const fields =
        "description=caf%C3%A9+au+lait&type=&model[provider]=anthropic&model[name]=m&model[contextWindow]=1000&other[0][a]=b"
      const answer = created(yield* create(fields, form))
      assert.strictEqual(answer.description, "café au lait")
      assert.deepStrictEqual(answer.model, { name: "m", provider: "anthropic", contextWindow: 1000 })
      const compressed = yield* create(gzipSync("description=x"), { ...form, "content-encoding": "gzip" })
      assert.strictEqual(created(compressed).description, "x")
      const latin1 = { "content-type": "application/x-www-form-urlencoded; charset=iso-8859-1" }
      assert.strictEqual(created(yield* create("description=caf%E9", latin1)).description, "café")

      const missing = badRequest("description: it is missing")
      assertError(yield* create("", form), 400, missing)
      assertError(yield* create("__proto__[description]=x&constructor[prototype][description]=x", form), 400, missing)
      const tooMuch = badRequest("The form has too many parameters, or they are nested too deeply")
      assertError(yield* create(`description${"[a]".repeat(40)}=x`, form), 400, tooMuch)
      assertError(yield* create(`description=x${"&a=1".repeat(1000)}`, form), 400, tooMuch)
    })
  )

  it.effect("takes a missing or empty body, or one of another type, for an empty object", () =>
    Effect.gen(function* () {
      const missing = badRequest("description: it is missing")
      assertError(yield* create(undefined, {}), 400, missing)
      assertError(yield* create(undefined, json), 400, missing)
      assertError(yield* create("", { ...json, "transfer-encoding": "chunked" }), 400, missing)
      assertError(yield* create(task, {}), 400, missing)
      assertError(yield* create(task, { "content-type": "text/plain" }), 400, missing)
      assertError(yield* create("{", { "content-type": "application/json-patch+json" }), 400, missing)
    })
  )

  it.effect("refuses JSON bodies that are not objects, on every route", () =>
    Effect.gen(function* () {
      const { send } = yield* RestService
      for (const body of ['"x"', "[]", "null", "5", "true"]) {
        assertError(yield* create(body, json), 400, badRequest("The body must be a JSON object"))
      }
      const invalid = badRequest("Expected property name or '}' in JSON at position 1")
      for (const [method, path] of [
        ["POST", "/tasks/none/takeover"],
        ["POST", "/tasks/none/resume"],
        ["POST", "/tasks/none/cancel"],
        ["POST", "/tasks/none/messages"],
        ["DELETE", "/tasks/none"],
        ["GET", "/tasks"]
      ] as const) {
        const headers = { ...json, "content-length": "2" }
        assertError(yield* send({ method, path, headers, body: "{x" }), 400, invalid)
      }
    })
  )
})
