import { brotliDecompress, constants, gunzip, inflate } from "node:zlib"
import { Effect, Stream } from "effect"
import { HttpEffect, type HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { RequestTooLarge, UnsupportedBody } from "../../api/RequestErrors.ts"
import { ServiceBusy } from "../../domain/LimitErrors.ts"
import { InvalidRequest } from "../../domain/TaskErrors.ts"
import { InFlight, shareOf } from "./InFlight.ts"

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

type Failure = InvalidRequest | RequestTooLarge | ServiceBusy | UnsupportedBody

/**
 * The body's bytes, decompressed. Fails for what is larger than `limit`, not readable, or in an encoding that we don't know, and for a large
 * one where the memory for bodies is full.
 */
export const bodyBytes = (
  request: HttpServerRequest.HttpServerRequest,
  limit = maxBodyBytes
): Effect.Effect<Uint8Array, Failure, InFlight> => {
  const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "identity"
  if (encoding === "identity") return sentBytes(request, limit)
  const decompress = decompressors[encoding]
  return decompress === undefined
    ? Effect.fail(new UnsupportedBody({ message: `unsupported content encoding "${encoding}"` }))
    : Effect.flatMap(sentBytes(request, limit), (bytes) => decompressed(bytes, encoding, decompress)).pipe(
        Effect.filterOrFail(
          ({ length }) => length <= limit,
          () => new RequestTooLarge()
        ),
        Effect.tap(({ length }) => holdInflated(request, length))
      )
}

/** Bytes of a body that are not counted, so that ordinary requests are always taken. */
const uncounted = 64 * 1024

const sentBytes = (request: HttpServerRequest.HttpServerRequest, limit: number) => {
  const stated = Number(request.headers["content-length"] ?? Number.NaN)
  const bytes: Effect.Effect<Uint8Array, HttpServerError.HttpServerError | RequestTooLarge | ServiceBusy, InFlight> =
    stated <= Math.min(uncounted, limit)
      ? Effect.map(request.arrayBuffer, (buffer) => new Uint8Array(buffer))
      : countedBytes(request, limit)
  return Effect.catchTag(bytes, "HttpServerError", () =>
    Effect.fail(new InvalidRequest({ message: "The body could not be read" }))
  )
}

/** What is on its way of the body is not read any more: it would take memory, too. */
const endConnection = HttpEffect.appendPreResponseHandler((_, response) =>
  Effect.succeed(HttpServerResponse.setHeader(response, "connection", "close"))
)

/** The bytes of a body that is large, or may be. What is too large is read on and thrown away. */
const countedBytes = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, limit: number) {
  const { allowSilence, body, limitSilence } = shareOf(yield* InFlight, request)
  const chunks: Array<Uint8Array> = []
  let size = 0
  let refusal: RequestTooLarge | ServiceBusy | undefined
  limitSilence()
  yield* Stream.runForEachWhile(request.stream, (chunk) =>
    Effect.sync(() => {
      size += chunk.length
      if (size > limit) refusal = new RequestTooLarge()
      else if (refusal === undefined && size > uncounted && !body.trySet(size)) refusal = new ServiceBusy()
      if (refusal === undefined) chunks.push(chunk)
      else {
        chunks.length = 0
        body.set(0)
      }
      return refusal?._tag !== "ServiceBusy" && size <= maxDiscardedBytes
    })
  )
  allowSilence()
  if (refusal?._tag === "ServiceBusy")
    yield* Effect.provideService(endConnection, HttpServerRequest.HttpServerRequest, request)
  return refusal === undefined ? Buffer.concat(chunks) : yield* refusal
})

/** A body that was small as it was sent may be large now; it is held until the request is answered. */
const holdInflated = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, size: number) {
  if (size <= uncounted) return
  const { body } = shareOf(yield* InFlight, request)
  if (!body.trySet(size)) return yield* new ServiceBusy()
})

const decompressed = (bytes: Uint8Array, encoding: string, decompress: Decompress) =>
  Effect.callback<Uint8Array, InvalidRequest | RequestTooLarge>((resume) =>
    decompress(bytes, (error, result) => {
      if (error === null) resume(Effect.succeed(result))
      else if ("code" in error && error.code === "ERR_BUFFER_TOO_LARGE") resume(Effect.fail(new RequestTooLarge()))
      else resume(Effect.fail(new InvalidRequest({ message: `The body is not valid ${encoding} data` })))
    })
  )
