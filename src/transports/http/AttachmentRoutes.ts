import { Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { TaskIdText, Text } from "../../api/RequestFields.ts"
import { Caller } from "../../domain/Caller.ts"
import { type Attachment, Attachments } from "../../messages/Attachments.ts"
import { identified } from "./Authenticate.ts"
import { BothRoots } from "./BothRoots.ts"
import { decodedParams } from "./DecodeRequest.ts"
import { answered } from "./FailureResponse.ts"
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

const asFile = ({ bytes, name, type }: Attachment) =>
  HttpServerResponse.uint8Array(bytes, {
    contentType: mediaType.test(type) ? type : "application/octet-stream",
    headers: {
      ...harmless,
      // The name in UTF-8 (RFC 8187): no byte of it can end the header.
      "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(name).replaceAll(/['()*]/g, escape)}`,
      "cache-control": "private, max-age=31536000, immutable"
    }
  })

const escape = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`

const asPicture = ({ bytes, type }: Attachment) =>
  HttpServerResponse.uint8Array(bytes, {
    contentType: pictures.has(type) ? type : "application/octet-stream",
    headers: { ...harmless, "cache-control": "private, max-age=31536000, immutable" }
  })

const file = answered(
  Effect.gen(function* () {
    const attachments = yield* Attachments
    const caller = yield* identified
    const { fileId, id } = yield* paramsOf(Schema.Struct({ id: TaskIdText, fileId: Text }))
    return asFile(yield* Effect.provideService(attachments.file(id, fileId), Caller, caller))
  })
)

const image = answered(
  Effect.gen(function* () {
    const attachments = yield* Attachments
    const caller = yield* identified
    const { id, n } = yield* paramsOf(Schema.Struct({ id: Text, n: Text }))
    const index = /^\d{1,6}$/.test(n) ? Number(n) : -1
    return asPicture(yield* Effect.provideService(attachments.image(id, index), Caller, caller))
  })
)

/** Files and pictures as they are, so that clients need not take megabytes of base64. What is stored never changes. */
export const AttachmentRoutes = HttpRouter.addAll([
  HttpRouter.route("GET", "/tasks/:id/files/:fileId", file),
  HttpRouter.route("GET", "/messages/:id/images/:n", image)
]).pipe(Layer.provide(BothRoots))
