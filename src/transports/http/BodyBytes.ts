import { brotliDecompress, constants, gunzip, inflate } from "node:zlib"
import { Effect, Stream } from "effect"
import type { HttpServerError, HttpServerRequest } from "effect/http"
import { RequestTooLarge, UnsupportedBody } from "../../api/RequestErrors.ts"
import { InvalidRequest } from "../../domain/TaskErrors.ts"

/** Largest body, in bytes, as sent and once decompressed (docs/contract/rest.md, "General"). */
export const maxBodyBytes = 50 * 1024 * 1024

/** Past the limit a body is read on and thrown away, up to here, so that its client is still there to hear the refusal. */
const maxDiscardedBytes = 4 * maxBodyBytes

type Decompress = (bytes: Uint8Array, done: (error: Error | null, bytes: Uint8Array) => void) => void

const options = { maxOutputLength: maxBodyBytes }

const decompressors: { readonly [encoding: string]: Decompress | undefined } = {
  gzip: (bytes, done) => gunzip(bytes, options, done),
  deflate: (bytes, done) => inflate(bytes, options, done),
  br: (bytes, done) => brotliDecompress(bytes, { ...options, finishFlush: constants.BROTLI_OPERATION_FINISH }, done)
}

/** The body's bytes, decompressed. Fails for what is too large, not readable, or in an encoding that we don't know. */
export const bodyBytes = (
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<Uint8Array, InvalidRequest | RequestTooLarge | UnsupportedBody> => {
  const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "identity"
  if (encoding === "identity") return sentBytes(request)
  const decompress = decompressors[encoding]
  return decompress === undefined
    ? Effect.fail(new UnsupportedBody({ message: `unsupported content encoding "${encoding}"` }))
    : Effect.flatMap(sentBytes(request), (bytes) => decompressed(bytes, encoding, decompress))
}

const sentBytes = (request: HttpServerRequest.HttpServerRequest) => {
  const stated = Number(request.headers["content-length"] ?? Number.NaN)
  const bytes: Effect.Effect<Uint8Array, HttpServerError.HttpServerError | RequestTooLarge> =
    stated <= maxBodyBytes ? Effect.map(request.arrayBuffer, (buffer) => new Uint8Array(buffer)) : countedBytes(request)
  return Effect.catchTag(bytes, "HttpServerError", () =>
    Effect.fail(new InvalidRequest({ message: "The body could not be read" }))
  )
}

/** The bytes of a body whose length is not known before, or known to be too much. */
const countedBytes = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const chunks: Array<Uint8Array> = []
  let size = 0
  yield* Stream.runForEachWhile(request.stream, (chunk) =>
    Effect.sync(() => {
      size += chunk.length
      if (size <= maxBodyBytes) chunks.push(chunk)
      else chunks.length = 0
      return size <= maxDiscardedBytes
    })
  )
  return size <= maxBodyBytes ? Buffer.concat(chunks) : yield* new RequestTooLarge()
})

const decompressed = (bytes: Uint8Array, encoding: string, decompress: Decompress) =>
  Effect.callback<Uint8Array, InvalidRequest | RequestTooLarge>((resume) =>
    decompress(bytes, (error, result) => {
      if (error === null) resume(Effect.succeed(result))
      else if ("code" in error && error.code === "ERR_BUFFER_TOO_LARGE") resume(Effect.fail(new RequestTooLarge()))
      else resume(Effect.fail(new InvalidRequest({ message: `The body is not valid ${encoding} data` })))
    })
  )
