import { gzipSync } from "node:zlib"
import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { partsOf } from "../../src/transports/http/Multipart.ts"
import { RestService, recordedModels } from "./RestService.ts"

/** `POST /tasks` as multipart/form-data: documented by the original, absent in its code (docs/contract/rest.md). */

const decodeTask = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      id: Schema.String,
      description: Schema.String,
      priority: Schema.String,
      model: Schema.Record(Schema.String, Schema.Json)
    })
  )
)

layer(RestService.layer(recordedModels), { excludeTestServices: true })("Multipart", (it) => {
  const sendForm = Effect.fnUntraced(function* (form: FormData) {
    const { url } = yield* RestService
    return yield* Effect.promise(async () => {
      const answer = await fetch(`${url}/tasks`, { method: "POST", body: form })
      return { status: answer.status, text: await answer.text() }
    })
  })
  const sendRaw = Effect.fnUntraced(function* (
    body: string | Uint8Array,
    type = "multipart/form-data; boundary=X",
    more: object = {}
  ) {
    const { send } = yield* RestService
    return yield* send({ method: "POST", path: "/tasks", body, headers: { "content-type": type, ...more } })
  })
  const field = (name: string, value: string) =>
    `--X\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`

  it.effect("creates a task with the files of a form, of any bytes and names", () =>
    Effect.gen(function* () {
      const { sql } = yield* RestService
      const bytes = new Uint8Array(100_000).map((_, index) => (index * 7) % 256)
      const form = new FormData()
      form.append("description", "Grüße\r\n--and--")
      form.append("priority", "HIGH")
      form.append("model[provider]", "anthropic")
      form.append("model[name]", "m")
      form.append("model[contextWindow]", "1000")
      form.append("files", new Blob([bytes], { type: "application/x-thing" }), 'Übung "1".bin')
      form.append("files", new Blob(["\r\n"]), "b.txt")
      form.append("other", new Blob(["ignored"]), "c.txt")
      form.append("files", new Blob([]), "")
      const answer = yield* sendForm(form)
      assert.strictEqual(answer.status, 201, answer.text)
      const task = decodeTask(answer.text)
      assert.deepInclude(task, { description: "Grüße\r\n--and--", priority: "HIGH" })
      assert.deepInclude(task.model, { provider: "anthropic", name: "m", contextWindow: 1000 })
      const files =
        yield* sql`SELECT "name", "type", "size", "data" FROM "File" WHERE "taskId" = ${task.id} ORDER BY "size" DESC`
      assert.deepStrictEqual(files, [
        {
          name: 'Übung "1".bin',
          type: "application/x-thing",
          size: 100_000,
          data: Buffer.from(bytes).toString("base64")
        },
        { name: "b.txt", type: "application/octet-stream", size: 2, data: Buffer.from("\r\n").toString("base64") }
      ])
    })
  )

  it.effect("reads compressed forms, quoted boundaries, preambles and escaped quotes", () =>
    Effect.gen(function* () {
      const body = `preamble\r\n${field("description", "x")}--X\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name="files"; filename="a\\"b"\r\n\r\n\r\n--X--\r\nepilogue`
      const answer = yield* sendRaw(gzipSync(body), 'Multipart/Form-Data; charset=utf-8; boundary="X"', {
        "content-encoding": "gzip"
      })
      assert.strictEqual(answer.status, 201, answer.text)
      assert.deepStrictEqual(
        partsOf(Buffer.from(body), 'multipart/form-data; boundary="X"')?.map(({ bytes, ...part }) => ({
          ...part,
          size: bytes.length
        })),
        [
          { name: "description", fileName: undefined, contentType: "", size: 1 },
          { name: "files", fileName: 'a"b', contentType: "text/plain", size: 0 }
        ]
      )
    })
  )

  it.effect("refuses a form that is malformed, too large or lacks fields, with a sentence", () =>
    Effect.gen(function* () {
      const whole = `${field("description", "x")}--X--\r\n`
      const malformed = [
        "",
        "x",
        whole.slice(0, -6),
        whole.replace("form-data", "attachment"),
        "--X\r\n\r\nx\r\n--X--",
        `--X\r\nContent-Disposition: form-data; name="a"; pad="${"x".repeat(20_000)}"\r\n\r\nx\r\n--X--`,
        `${field("a", "").repeat(20_001)}--X--`
      ]
      for (const body of malformed.slice(1)) {
        const answer = yield* sendRaw(body)
        assert.strictEqual(answer.status, 400, body.slice(0, 100))
        assert.include(answer.text, "The body is not valid multipart/form-data")
      }
      assert.strictEqual((yield* sendRaw(whole, "multipart/form-data")).status, 400)
      assert.include((yield* sendRaw("--X--")).text, "description")
      assert.strictEqual((yield* sendRaw(`${field("description", "x")}${field("files", "x")}--X--`)).status, 400)
      assert.strictEqual((yield* sendRaw(`${field("description", "x".repeat(51 * 1024 * 1024))}--X--`)).status, 413)
      assert.strictEqual((yield* sendRaw(`${field("description", "a\0b")}--X--`)).status, 400)
    })
  )
})
