import { readFileSync } from "node:fs"
import { brotliCompressSync, constants, deflateSync, gzipSync } from "node:zlib"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { exchange, problemOf } from "./Exchange.ts"
import { render } from "./Requests.ts"
import { startTarget } from "./Target.ts"

/** What fuzzing found once, and shapes that are known for what they do to other servers. */

class Target extends Context.Service<Target, Effect.Success<ReturnType<typeof startTarget>>>()("test/FuzzTarget") {
  static readonly layer = Layer.effect(Target, startTarget())
}

const corpus = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Array(Schema.Struct({ name: Schema.String, request: Schema.String, status: Schema.Int }))
  )
)(readFileSync(new URL("corpus/requests.json", import.meta.url), "utf8"))

const smuggled = "DELETE /tasks/victim HTTP/1.1\r\nHost: x\r\n\r\n"

/** Framings on which two readers may disagree where the request ends (RFC 9112, sections 6.1 to 6.3 and 11.2). */
const framings: ReadonlyArray<readonly [name: string, headers: string, body: string]> = [
  ["a length and chunks", "Content-Length: 4\r\nTransfer-Encoding: chunked", `0\r\n\r\n${smuggled}`],
  ["chunks and a length", `Transfer-Encoding: chunked\r\nContent-Length: ${smuggled.length}`, smuggled],
  ["two lengths", `Content-Length: 0\r\nContent-Length: ${smuggled.length}`, smuggled],
  ["a list of lengths", `Content-Length: 0, ${smuggled.length}`, smuggled],
  ["a signed length", `Content-Length: +${smuggled.length}`, smuggled],
  ["a hexadecimal length", "Content-Length: 0x2", smuggled],
  ["a length before a blank", `Content-Length : ${smuggled.length}`, smuggled],
  ["an endless length", "Content-Length: 99999999999999999999", smuggled],
  ["chunks that are not last", "Transfer-Encoding: chunked, identity", `0\r\n\r\n${smuggled}`],
  ["chunks by another name", "Transfer-Encoding: xchunked", `0\r\n\r\n${smuggled}`],
  ["chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", `0\r\n\r\n${smuggled}`],
  ["a bare line feed before the chunks", "X: y\nTransfer-Encoding: chunked", `0\r\n\r\n${smuggled}`],
  ["a chunk whose size overflows", "Transfer-Encoding: chunked", `ffffffffffffffffff\r\n${smuggled}`],
  ["a negative chunk", "Transfer-Encoding: chunked", `-1\r\n${smuggled}`],
  ["chunks parted by line feeds", "Transfer-Encoding: chunked", `0\n\n${smuggled}`]
]

const bombs: ReadonlyArray<readonly [string, (bytes: Buffer) => Buffer]> = [
  ["gzip", gzipSync],
  ["deflate", deflateSync],
  // At its best quality it takes ten seconds for what is as small at this one.
  ["br", (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })]
]

layer(Target.layer, { excludeTestServices: true, timeout: 60_000 })("Corpus", (it) => {
  it.effect.each(corpus)("$name is answered", ({ request, status }) =>
    Effect.gen(function* () {
      const { url } = yield* Target
      const answer = yield* exchange(url, request)
      assert.isUndefined(problemOf(answer, request))
      assert.deepStrictEqual(
        answer.answers.map((one) => one.status),
        [status]
      )
    })
  )

  it.effect.each(framings)("%s: the request is refused, and nothing in it is carried out", ([, headers, body]) =>
    Effect.gen(function* () {
      const { url } = yield* Target
      const request = `POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n${headers}\r\n\r\n${body}`
      const answer = yield* exchange(url, request)
      assert.isUndefined(problemOf(answer, request))
      assert.isAtMost(answer.answers.length, 1)
      for (const { body, status } of answer.answers) {
        assert.strictEqual(status, 400)
        assert.notInclude(body, "victim")
      }
    })
  )

  it.effect.each(bombs)("%s: a small body that would be huge is refused before it is", ([encoding, compress]) =>
    Effect.gen(function* () {
      const { url } = yield* Target
      const request = render({
        method: "POST",
        target: "/tasks",
        headers: [
          ["Content-Type", "application/json"],
          ["Content-Encoding", encoding]
        ],
        body: compress(Buffer.alloc(400 * 1024 * 1024, " ")).toString("latin1")
      })
      assert.isBelow(request.length, 1024 * 1024)
      const { answers } = yield* exchange(url, request)
      assert.deepStrictEqual(
        answers.map(({ body, status }) => [status, body]),
        [[413, '{"statusCode":413,"message":"request entity too large"}']]
      )
    })
  )
})
