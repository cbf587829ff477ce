import { promisify } from "node:util"
import { brotliDecompress, constants, gunzip, inflate } from "node:zlib"
import { Effect, Schema, Stream } from "effect"
import { HttpEffect, type HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { RequestTooLarge, UnsupportedBody } from "../../api/RequestErrors.ts"
import { ServiceBusy } from "../../domain/LimitErrors.ts"
import { InvalidRequest } from "../../domain/TaskErrors.ts"
import { InFlight, shareOf } from "./InFlight.ts"

/** Largest body, in bytes, as sent and once decompressed (docs/contract/rest.md, "General"). */
export const maxBodyBytes = 50 * 1024 * 1024

/** Bytes up to which a too large body is read and discarded, so that its client gets the refusal. */
const maxDiscardedBytes = 4 * maxBodyBytes

const options = { maxOutputLength: maxBodyBytes }

const decompressors: { readonly [encoding: string]: ((bytes: Uint8Array) => Promise<Buffer>) | undefined } = {
  gzip: (bytes) => promisify(gunzip)(bytes, options),
  deflate: (bytes) => promisify(inflate)(bytes, options),
  br: (bytes) => promisify(brotliDecompress)(bytes, { ...options, finishFlush: constants.BROTLI_OPERATION_FINISH })
}

type Failure = InvalidRequest | RequestTooLarge | ServiceBusy | UnsupportedBody

/**
 * The body's bytes, decompressed. Fails for a body that is above the `limit`, unreadable or of an unknown encoding, and for a large one while
 * the memory for bodies is full.
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

/** Bytes up to which a body is not counted, so that ordinary requests are always accepted. */
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

/** The rest of the body is not read, as it would take memory, too. */
const endConnection = HttpEffect.appendPreResponseHandler((_, response) =>
  Effect.succeed(HttpServerResponse.setHeader(response, "connection", "close"))
)

/** The bytes of a body that is large, or may be. A too large one is read and discarded. */
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

/** Counts a decompressed body, which may be far larger than as it was sent, until the request is answered. */
const holdInflated = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, size: number) {
  if (size <= uncounted) return
  const { body } = shareOf(yield* InFlight, request)
  if (!body.trySet(size)) return yield* new ServiceBusy()
})

const isTooLarge = Schema.is(Schema.Struct({ code: Schema.Literal("ERR_BUFFER_TOO_LARGE") }))

const decompressed = (bytes: Uint8Array, encoding: string, decompress: (bytes: Uint8Array) => Promise<Buffer>) =>
  Effect.tryPromise({
    try: () => decompress(bytes),
    catch: (error) =>
      isTooLarge(error)
        ? new RequestTooLarge()
        : new InvalidRequest({ message: `The body is not valid ${encoding} data` })
  })
