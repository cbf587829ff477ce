import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import sharp from "sharp"
import { AccountsStage, people, type Who } from "../accounts/AccountsStage.ts"
import { encodePng } from "../emulators/png.ts"

const decodeTask = Schema.decodeUnknownSync(
  Schema.Struct({ id: Schema.String, files: Schema.Array(Schema.Struct({ id: Schema.String })) })
)
const decodeId = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))

const bytesOf = (url: string, who: Who, path: string) =>
  Effect.promise(async () => {
    const answer = await fetch(`${url}${path}`, { headers: { ...who } })
    return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) }
  })

layer(AccountsStage.layer(), { timeout: "60 seconds", excludeTestServices: true })("attachments", (test) => {
  test.effect("sends files as bytes, with their type and name, and never as a page that could run", () =>
    Effect.gen(function* () {
      const { send, url } = yield* AccountsStage
      const { owner, stranger } = yield* people
      const names = ["notes.txt", 'ö "quoted"\r\nx-evil: 1.html', "../../etc/passwd"]
      const { id } = decodeId(
        (yield* send(owner.bearer, "POST", "/tasks", {
          description: "files",
          files: names.map((name, index) => ({
            name,
            base64: "aGVsbG8=",
            type: ["text/plain", "text/html", "no type"][index] ?? "",
            size: 5
          }))
        })).json
      )
      const { files } = decodeTask((yield* send(owner.bearer, "GET", `/tasks/${id}`)).json)
      for (const [index, file] of files.entries()) {
        const { bytes, headers, status } = yield* bytesOf(url, owner.bearer, `/tasks/${id}/files/${file.id}`)
        assert.strictEqual(status, 200)
        assert.strictEqual(bytes.toString(), "hello")
        assert.strictEqual(headers.get("content-type"), ["text/plain", "text/html", "application/octet-stream"][index])
        const disposition = headers.get("content-disposition") ?? ""
        assert.match(disposition, /^attachment; filename\*=UTF-8''/)
        assert.strictEqual(decodeURIComponent(disposition.split("''")[1] ?? ""), names[index])
        assert.include(headers.get("content-security-policy"), "sandbox")
        assert.isNull(headers.get("x-evil"))
        assert.strictEqual((yield* bytesOf(url, stranger.bearer, `/tasks/${id}/files/${file.id}`)).status, 404)
        assert.strictEqual((yield* bytesOf(url, {}, `/tasks/${id}/files/${file.id}`)).status, 401)
      }
      assert.strictEqual((yield* bytesOf(url, owner.bearer, `/tasks/${id}/files/none`)).status, 404)
    })
  )

  test.effect("sends pictures as bytes, at the addresses that lists show with images=urls", () =>
    Effect.gen(function* () {
      const { send, sql, url } = yield* AccountsStage
      const { owner, stranger } = yield* people
      const { id } = decodeId((yield* send(owner.bearer, "POST", "/tasks", { description: "pictures" })).json)
      const pictures = [1, 2, 3].map((width) =>
        encodePng({ width, height: 1, rgba: Buffer.alloc(width * 4, width) }).toString("base64")
      )
      const image = (data = "") => ({ type: "image", source: { data, type: "base64", media_type: "image/png" } })
      const content = [
        image(pictures[0]),
        { type: "tool_result", tool_use_id: "u", content: [{ type: "text", text: "done" }, image(pictures[1])] },
        { type: "user_action", content: [image(pictures[2])] }
      ]
      yield* sql`INSERT INTO "Message" ("id", "content", "role", "taskId", "updatedAt") VALUES (${`m/${id}`}, ${JSON.stringify(content)}::jsonb, 'USER', ${id}, now())`
      for (const path of ["messages", "messages/raw", "messages/processed"]) {
        const inline = JSON.stringify((yield* send(owner.bearer, "GET", `/tasks/${id}/${path}`)).json)
        assert.include(inline, pictures[1] ?? "none")
        const listed = JSON.stringify((yield* send(owner.bearer, "GET", `/tasks/${id}/${path}?images=urls`)).json)
        for (const data of pictures) assert.notInclude(listed, data)
        const urls = [...listed.matchAll(/"url":"([^"]+)"/g)].map(([, address = ""]) => address)
        assert.strictEqual(urls.length, 3)
        for (const [index, address] of urls.entries()) {
          const { bytes, headers, status } = yield* bytesOf(url, owner.bearer, address)
          assert.strictEqual(status, 200)
          assert.strictEqual(bytes.toString("base64"), pictures[index])
          assert.strictEqual(headers.get("content-type"), "image/png")
          assert.include(headers.get("cache-control"), "immutable")
          assert.strictEqual((yield* bytesOf(url, stranger.bearer, address)).status, 404)
        }
      }
      const address = `/messages/${encodeURIComponent(`m/${id}`)}/images`
      for (const n of ["3", "-1", "x", "1e1"]) {
        assert.strictEqual((yield* bytesOf(url, owner.bearer, `${address}/${n}`)).status, 404)
      }
      assert.strictEqual((yield* send(owner.bearer, "GET", `/tasks/${id}/messages?images=none`)).status, 400)
    })
  )

  test.effect("sends a picture small with w, and without the alpha channel that makes screenshots invisible", () =>
    Effect.gen(function* () {
      const { send, sql, url } = yield* AccountsStage
      const { owner, stranger } = yield* people
      const { id } = decodeId((yield* send(owner.bearer, "POST", "/tasks", { description: "shown pictures" })).json)
      const pixel = [200, 100, 50, 0]
      const data = encodePng({ width: 100, height: 50, rgba: Buffer.from(Array(5000).fill(pixel).flat()) })
      const image = (bytes: Buffer) => ({
        type: "image",
        source: { data: bytes.toString("base64"), type: "base64", media_type: "image/png" }
      })
      const content = [image(data), image(Buffer.from("no picture"))]
      yield* sql`INSERT INTO "Message" ("id", "content", "role", "taskId", "updatedAt") VALUES (${`m/${id}`}, ${JSON.stringify(content)}::jsonb, 'USER', ${id}, now())`
      const address = `/messages/${encodeURIComponent(`m/${id}`)}/images`
      for (const [asked, shown] of [
        [20, 20],
        [4096, 100]
      ] as const) {
        const { bytes, headers, status } = yield* bytesOf(url, owner.bearer, `${address}/0?w=${asked}`)
        assert.strictEqual(status, 200)
        assert.strictEqual(headers.get("content-type"), "image/webp")
        assert.include(headers.get("cache-control"), "immutable")
        const { data, info } = yield* Effect.promise(() => sharp(bytes).raw().toBuffer({ resolveWithObject: true }))
        assert.deepInclude(info, { width: shown, channels: 3 })
        assert.closeTo(data[0] ?? 0, 200, 8)
      }
      const asStored = yield* bytesOf(url, owner.bearer, `${address}/1?w=20`)
      assert.strictEqual(asStored.bytes.toString(), "no picture")
      for (const w of ["0", "4097", "x", "-1"]) {
        assert.strictEqual((yield* bytesOf(url, owner.bearer, `${address}/0?w=${w}`)).status, 400)
      }
      assert.strictEqual((yield* bytesOf(url, stranger.bearer, `${address}/0?w=20`)).status, 404)
    })
  )

  test.effect("lists the summaries of a task, oldest first", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* AccountsStage
      const { owner, stranger } = yield* people
      const { id } = decodeId((yield* send(owner.bearer, "POST", "/tasks", { description: "summaries" })).json)
      assert.deepStrictEqual((yield* send(owner.bearer, "GET", `/tasks/${id}/summaries`)).json, [])
      yield* sql`INSERT INTO "Summary" ("id", "content", "taskId", "updatedAt") VALUES (${`s${id}`}, 'so far', ${id}, now())`
      assert.include(JSON.stringify((yield* send(owner.bearer, "GET", `/tasks/${id}/summaries`)).json), "so far")
      assert.strictEqual((yield* send(stranger.bearer, "GET", `/tasks/${id}/summaries`)).status, 404)
    })
  )
})
