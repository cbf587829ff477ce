import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { corsHeaders } from "../../src/transports/http/Cors.ts"
import { matchesETag, weakETag } from "../../src/transports/http/ETag.ts"
import { RestService, recordedModels } from "./RestService.ts"

const taskOf = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({ id: Schema.String })))

layer(RestService.layer(recordedModels), { excludeTestServices: true })("On the wire", (it) => {
  it.effect("serves every route under /api too, with ids unchanged", () =>
    Effect.gen(function* () {
      const { post, send } = yield* RestService
      const { id } = taskOf((yield* post("/API/Tasks", { description: "twin" })).text)
      for (const path of ["/", `/tasks/${id}`, `/tasks/${id}/messages`, "/tasks/models", "/tasks/AbC"]) {
        const plain = yield* send({ path })
        const twin = yield* send({ path: `/api${path}` })
        assert.strictEqual(twin.status, plain.status)
        assert.strictEqual(twin.text, plain.text)
        assert.strictEqual(twin.headers.etag, plain.headers.etag)
      }
      assert.strictEqual((yield* send({ path: "/api" })).text, "Hello World!")
      assert.strictEqual((yield* send({ method: "DELETE", path: `/Api/TASKS/${id}/` })).status, 204)
    })
  )

  it.effect("answers an unknown route and a wrong method with 404, and the path as it was sent", () =>
    Effect.gen(function* () {
      const { send } = yield* RestService
      const requests: ReadonlyArray<readonly [string, string]> = [
        ["GET", "/Nope/?A=1&b=%20"],
        ["GET", "/api/Nope"],
        ["PUT", "/tasks/models"],
        ["PATCH", "/"],
        ["POST", "/tasks/x"],
        ["GET", "//tasks"],
        ["GET", "/tasks//messages"],
        ["PROPFIND", "/tasks"],
        ["DELETE", "/tasks/x/messages"]
      ]
      for (const [method, path] of requests) {
        const answer = yield* send({ method, path })
        assert.strictEqual(answer.status, 404)
        assert.strictEqual(
          answer.text,
          JSON.stringify({ message: `Cannot ${method} ${path}`, error: "Not Found", statusCode: 404 })
        )
      }
    })
  )

  it.effect.prop("any text is an id that can be looked up", [Schema.NonEmptyString], ([text]) =>
    Effect.gen(function* () {
      const { send } = yield* RestService
      // A path segment of dots is no id for the client that builds URLs, and NUL is refused below.
      const id = `-${text.toWellFormed().replaceAll("\0", "")}`
      const answer = yield* send({ path: `/tasks/${encodeURIComponent(id)}` })
      assert.deepStrictEqual(JSON.parse(answer.text), {
        message: `Task with ID ${id} not found`,
        error: "Not Found",
        statusCode: 404
      })
      const messages = yield* send({ path: `/tasks/${encodeURIComponent(id)}/messages/raw` })
      assert.strictEqual(messages.text, "[]")
    })
  )

  it.effect("decodes ids once, and refuses invalid percent-encoding", () =>
    Effect.gen(function* () {
      const { send } = yield* RestService
      const lookups: ReadonlyArray<readonly [string, number, string]> = [
        ["/tasks/a%2Fb", 404, "Task with ID a/b not found"],
        ["/tasks/a%252Fb", 404, "Task with ID a%2Fb not found"],
        ["/tasks/a;b=1", 404, "Task with ID a;b=1 not found"],
        ["/tasks/%zz", 400, "Failed to decode param '%zz'"],
        ["/tasks/x%E4y", 400, "Failed to decode param 'x%E4y'"],
        ["/api/tasks/%/messages", 400, "Failed to decode param '%'"],
        ["/tasks/a%00b", 400, "id: expected text without NUL characters"],
        [`/tasks/${"x".repeat(4000)}`, 404, `Task with ID ${"x".repeat(4000)} not found`]
      ]
      for (const [path, status, message] of lookups) {
        const answer = yield* send({ path })
        assert.strictEqual(answer.status, status)
        assert.propertyVal(JSON.parse(answer.text), "message", message)
      }
    })
  )

  it.effect("answers HEAD as GET, without the body", () =>
    Effect.gen(function* () {
      const { send } = yield* RestService
      for (const path of ["/", "/tasks", "/tasks/models", "/tasks/none", "/tasks/none/messages"]) {
        const get = yield* send({ path })
        const head = yield* send({ method: "HEAD", path })
        assert.strictEqual(head.status, get.status)
        assert.strictEqual(head.text, "")
        for (const header of ["content-type", "content-length", "etag", "access-control-allow-origin"]) {
          assert.strictEqual(head.headers[header], get.headers[header], `${path} ${header}`)
        }
      }
      assert.strictEqual((yield* send({ method: "HEAD", path: "/nope" })).status, 404)
    })
  )

  it.effect("sends large pages with their length and entity tag", () =>
    Effect.gen(function* () {
      const { post, send } = yield* RestService
      const { id } = taskOf((yield* post("/tasks", { description: "x" })).text)
      const long = "é, and so on. ".repeat(100_000)
      yield* post(`/tasks/${id}/messages`, { message: long })
      yield* post(`/tasks/${id}/messages`, { message: "short" })
      for (const path of [`/tasks/${id}/messages`, `/tasks/${id}/messages/processed`]) {
        const { headers, status, text } = yield* send({ path })
        assert.strictEqual(status, 200)
        assert.include(text, long)
        assert.strictEqual(headers["content-type"], "application/json; charset=utf-8")
        assert.strictEqual(headers["content-length"], String(Buffer.byteLength(text)))
        assert.isUndefined(headers["transfer-encoding"])
        const head = yield* send({ method: "HEAD", path })
        assert.deepStrictEqual(
          [head.status, head.text, head.headers["content-length"], head.headers.etag],
          [200, "", headers["content-length"], headers.etag]
        )
        const again = yield* send({ path, headers: { "if-none-match": headers.etag ?? "" } })
        assert.deepStrictEqual([again.status, again.text], [304, ""])
      }
    })
  )

  it.effect("answers a matching If-None-Match of GET and HEAD with 304, without a body", () =>
    Effect.gen(function* () {
      const { post, send } = yield* RestService
      const { headers } = yield* send({ path: "/tasks/models" })
      const { etag = "" } = headers
      for (const value of [etag, etag.replace("W/", ""), `"a", ${etag}`, "*"]) {
        for (const method of ["GET", "HEAD"]) {
          const answer = yield* send({ method, path: "/tasks/models", headers: { "if-none-match": value } })
          assert.strictEqual(answer.status, 304)
          assert.strictEqual(answer.text, "")
          assert.strictEqual(answer.headers.etag, etag)
          assert.strictEqual(answer.headers["access-control-allow-origin"], "*")
          assert.isUndefined(answer.headers["content-type"])
        }
      }
      assert.strictEqual((yield* send({ path: "/tasks/models", headers: { "if-none-match": '"other"' } })).status, 200)
      assert.strictEqual((yield* send({ path: "/nope", headers: { "if-none-match": "*" } })).status, 404)
      const created = yield* post("/tasks", { description: "x" }, { headers: { "if-none-match": "*" } })
      assert.strictEqual(created.status, 201)
      assert.strictEqual(created.headers.etag, weakETag(created.text, Buffer.byteLength(created.text)))
    })
  )

  it.effect("answers any OPTIONS for all origins", () =>
    Effect.gen(function* () {
      const { send } = yield* RestService
      for (const path of ["/tasks", "/nope", "/tasks/%zz", "*"]) {
        const answer = yield* send({
          method: "OPTIONS",
          path,
          headers: { "access-control-request-headers": "x-a, x-b" }
        })
        assert.strictEqual(answer.status, 204)
        assert.strictEqual(answer.headers["access-control-allow-origin"], "*")
        assert.strictEqual(answer.headers["access-control-allow-methods"], "GET,POST,PUT,DELETE,OPTIONS,PATCH")
        assert.strictEqual(answer.headers["access-control-allow-headers"], "x-a, x-b")
        assert.strictEqual(answer.headers.vary, "Access-Control-Request-Headers")
      }
    })
  )
})

layer(RestService.layer({ CORS_ORIGINS: "https://one.test,https://two.test" }), { excludeTestServices: true })(
  "With CORS_ORIGINS",
  (it) => {
    it.effect("echoes only the origins of CORS_ORIGINS, with credentials", () =>
      Effect.gen(function* () {
        const { send } = yield* RestService
        for (const path of ["/", "/nope", "/tasks/%zz"]) {
          for (const method of ["GET", "OPTIONS"]) {
            const allowed = yield* send({ method, path, headers: { origin: "https://two.test" } })
            assert.strictEqual(allowed.headers["access-control-allow-origin"], "https://two.test")
            assert.strictEqual(allowed.headers["access-control-allow-credentials"], "true")
            assert.match(allowed.headers.vary ?? "", /^Origin/)
            for (const headers of [{ origin: "https://two.test.evil" }, { origin: "null" }, {}]) {
              const other = yield* send({ method, path, headers })
              assert.isUndefined(other.headers["access-control-allow-origin"])
              assert.match(other.headers.vary ?? "", /^Origin/)
            }
          }
        }
      })
    )
  }
)

describe("CORS headers", () => {
  it.prop(
    "CORS headers never allow an origin that is not listed",
    [Schema.Array(Schema.String), Schema.String],
    ([origins, origin]) => {
      const allowed = corsHeaders(origins, origin)["access-control-allow-origin"]
      assert.strictEqual(allowed, origins.includes("*") ? "*" : origins.includes(origin) ? origin : undefined)
    }
  )
})

describe("Entity tags", () => {
  it("entity tags are those that the original computes", () => {
    assert.strictEqual(weakETag("Hello World!", 12), 'W/"c-Lve95gjOVATpfV8EL5X4nxwjKHE"')
  })

  it.prop(
    "entity tags match themselves, alone and in a list, and no other text's",
    [Schema.String, Schema.String],
    ([one, other]) => {
      const [tag, otherTag] = [one, other].map((text) => weakETag(text, Buffer.byteLength(text)))
      if (tag === undefined || otherTag === undefined) return false
      assert.isTrue(matchesETag(tag, tag))
      assert.isTrue(matchesETag(`"x",${otherTag} , ${tag}`, tag))
      assert.strictEqual(matchesETag(otherTag, tag), one.toWellFormed() === other.toWellFormed())
      return true
    }
  )
})
