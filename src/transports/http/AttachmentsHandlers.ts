import { Effect, Option, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { ImageNotFound } from "../../domain/AttachmentErrors.ts"
import type { TaskId } from "../../domain/Task.ts"
import { Attachments, type FileStart, type Picture } from "../../messages/Attachments.ts"
import { base64Decoder, decodedLength } from "../../messages/Base64.ts"
import { ShownPictures } from "../../messages/ShownPictures.ts"
import { currentShare } from "./InFlight.ts"

/** A type as it may stand in a header (RFC 9110, section 8.3.1); a client may have stored any text. */
const mediaType = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/

/** Pictures that browsers show and that can hold no script. */
const pictures = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"])

/** A browser that shows it runs nothing in it. */
const harmless = { "content-security-policy": "default-src 'none'; sandbox" }

const fileHeaders = ({ name, type }: Omit<FileStart, "start">) => ({
  contentType: mediaType.test(type) ? type : "application/octet-stream",
  headers: {
    ...harmless,
    // The name in UTF-8 (RFC 8187): no character of it can end the header.
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
const file = Effect.fnUntraced(function* (attachments: Attachments["Service"], id: TaskId, fileId: string) {
  const share = yield* currentShare
  const { start, ...found } = yield* attachments.file(id, fileId, wholeBase64(share.nextPiece()))
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
        // The variable must not keep the bytes once they are sent.
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
      // The connection is cut, so that the client does not take the file for complete.
      if (isLast && sent !== (contentLength ?? sent)) yield* Effect.die(new Error(`The file ${fileId} is not base64`))
      return [[bytes], isLast ? Option.none() : Option.some(next)] as const
    })
  )
  return HttpServerResponse.stream(share.watched(pieces), {
    ...fileHeaders(found),
    ...(contentLength === undefined ? {} : { contentLength })
  })
})

const image = Effect.fnUntraced(function* (attachments: Attachments["Service"], id: string, n: string) {
  const share = yield* currentShare
  const index = /^\d{1,6}$/.test(n) ? Number(n) : -1
  const found = yield* attachments.image(id, index, share.nextPiece())
  if (found.bytes !== undefined) return found
  yield* share.hold(found.size)
  const large = yield* share.inTurn(attachments.image(id, index, found.size))
  // Messages do not grow.
  return large.bytes !== undefined ? large : yield* new ImageNotFound({ id })
})

/** Handlers of `AttachmentsApi`. */
export const AttachmentsHandlers = HttpApiBuilder.group(
  Api,
  "attachments",
  Effect.fn(function* (handlers) {
    const attachments = yield* Attachments
    const { shown } = yield* ShownPictures
    return handlers
      .handle("file", ({ params }) => file(attachments, params.id, params.fileId))
      .handle("image", ({ params, query: { w } }) =>
        image(attachments, params.id, params.n).pipe(
          Effect.flatMap((picture) => (w === undefined ? Effect.succeed(picture) : shown(picture, w))),
          Effect.map(asPicture)
        )
      )
  })
)
