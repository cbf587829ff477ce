import { Effect, Layer, Option, Schema, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { queryNumber, TaskIdText, Text } from "../../api/RequestFields.ts"
import { ImageNotFound } from "../../domain/AttachmentErrors.ts"
import { Caller } from "../../domain/Caller.ts"
import { Attachments, type FileStart, type Picture } from "../../messages/Attachments.ts"
import { base64Decoder, decodedLength } from "../../messages/Base64.ts"
import { ShownPictures } from "../../messages/ShownPictures.ts"
import { identified } from "./Authenticate.ts"
import { BothRoots } from "./BothRoots.ts"
import { decodedParams } from "./DecodeRequest.ts"
import { answered } from "./FailureResponse.ts"
import { currentShare } from "./InFlight.ts"
import { invalidInput } from "./InvalidInput.ts"

/** Types as they may stand in a header (RFC 9110, section 8.3.1); what somebody else stored may be anything. */
const mediaType = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/

/** Pictures that browsers show and that can hold no script. */
const pictures = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"])

/** Even if a browser showed it, nothing in it would run. */
const harmless = { "content-security-policy": "default-src 'none'; sandbox" }

const paramsOf = <A, I>(schema: Schema.Codec<A, I>) =>
  Effect.gen(function* () {
    const { params } = yield* HttpRouter.RouteContext
    return yield* Schema.decodeUnknownEffect(schema)(yield* decodedParams(params))
  }).pipe(Effect.catchTag("SchemaError", ({ issue }) => Effect.fail(invalidInput(issue))))

const fileHeaders = ({ name, type }: Omit<FileStart, "start">) => ({
  contentType: mediaType.test(type) ? type : "application/octet-stream",
  headers: {
    ...harmless,
    // The name in UTF-8 (RFC 8187): no byte of it can end the header.
    "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(name).replaceAll(/['()*]/g, escape)}`,
    "cache-control": "private, max-age=31536000, immutable"
  }
})

const escape = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`

const asPicture = ({ bytes, type }: Picture) =>
  HttpServerResponse.uint8Array(bytes, {
    contentType: pictures.has(type) ? type : "application/octet-stream",
    headers: { ...harmless, "cache-control": "private, max-age=31536000, immutable" }
  })

/** The largest part of `size` that is whole base64. */
const wholeBase64 = (size: number) => size - (size % 4)

/** A file, read piece by piece as the client takes it. No connection to the database is held meanwhile. */
const file = answered(
  Effect.gen(function* () {
    const attachments = yield* Attachments
    const caller = yield* identified
    const share = yield* currentShare
    const { fileId, id } = yield* paramsOf(Schema.Struct({ id: TaskIdText, fileId: Text }))
    const reading = attachments.file(id, fileId, wholeBase64(share.nextPiece()))
    const { start, ...found } = yield* Effect.provideService(reading, Caller, caller)
    const { end, length } = found
    const decode = base64Decoder()
    const offset = start.length
    let first: Uint8Array | undefined = decode(start, offset === length)
    share.answer.set(first.length)
    if (offset === length) return HttpServerResponse.uint8Array(first, fileHeaders(found))

    const contentLength = first.length === (offset / 4) * 3 ? decodedLength(length, end) : undefined
    let sent = first.length
    const pieces = Stream.paginate(offset, (offset) =>
      Effect.gen(function* () {
        if (first !== undefined) {
          const bytes = first
          // Nothing must keep it once it is sent.
          first = undefined
          return [[bytes], Option.some(offset)] as const
        }
        const piece = yield* share.inTurn(
          Effect.suspend(() => attachments.filePiece(fileId, offset, wholeBase64(share.nextPiece())))
        )
        const next = offset + piece.length
        const isLast = piece.length === 0 || next >= length
        const bytes = decode(piece, isLast)
        share.answer.set(bytes.length)
        sent += bytes.length
        // The connection is cut then, so that the client does not take the file for whole.
        if (isLast && sent !== (contentLength ?? sent)) yield* Effect.die(new Error(`The file ${fileId} is not base64`))
        return [[bytes], isLast ? Option.none() : Option.some(next)] as const
      })
    )
    return HttpServerResponse.stream(share.watched(pieces), {
      ...fileHeaders(found),
      ...(contentLength === undefined ? {} : { contentLength })
    })
  })
)

/** Pixels: how wide a picture is shown at most. */
const decodeWidth = (text: string) =>
  Schema.decodeUnknownEffect(queryNumber(1, 4096))(text).pipe(
    Effect.catchTag("SchemaError", ({ issue }) => Effect.fail(invalidInput(issue)))
  )

const image = answered(
  Effect.gen(function* () {
    const attachments = yield* Attachments
    const { shown } = yield* ShownPictures
    const { url } = yield* HttpServerRequest.HttpServerRequest
    const w = new URL(url, "http://localhost").searchParams.get("w")
    const width = w === null ? undefined : yield* decodeWidth(w)
    const asked = (picture: Picture) =>
      Effect.map(width === undefined ? Effect.succeed(picture) : shown(picture, width), asPicture)
    const caller = yield* identified
    const share = yield* currentShare
    const { id, n } = yield* paramsOf(Schema.Struct({ id: Text, n: Text }))
    const index = /^\d{1,6}$/.test(n) ? Number(n) : -1
    const read = (room: number) => Effect.provideService(attachments.image(id, index, room), Caller, caller)
    const found = yield* read(share.nextPiece())
    if ("bytes" in found) return yield* asked(found)
    yield* share.hold(found.size)
    const large = yield* share.inTurn(read(found.size))
    // It has grown meanwhile, which messages don't.
    return "bytes" in large ? yield* asked(large) : yield* new ImageNotFound({ id })
  })
)

/** Files and pictures as they are, so that clients need not take megabytes of base64. What is stored never changes. */
export const AttachmentRoutes = HttpRouter.addAll([
  HttpRouter.route("GET", "/tasks/:id/files/:fileId", file),
  HttpRouter.route("GET", "/messages/:id/images/:n", image)
]).pipe(Layer.provide(BothRoots))
