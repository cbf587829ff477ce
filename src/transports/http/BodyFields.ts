import { Effect, Predicate } from "effect"
import type { HttpServerRequest } from "effect/http"
import { parse } from "qs"
import { type RequestTooLarge, UnsupportedBody } from "../../api/RequestErrors.ts"
import type { ServiceBusy } from "../../domain/LimitErrors.ts"
import { InvalidRequest } from "../../domain/TaskErrors.ts"
import { bodyBytes } from "./BodyBytes.ts"
import type { InFlight } from "./InFlight.ts"
import { partsOf } from "./Multipart.ts"

type Fields = { readonly [field: string]: unknown }

const noFields = Effect.succeed<Fields>({})

/**
 * The object that the request's body stands for, JSON, or a form: urlencoded or multipart, with names in their extended
 * form (`model[provider]`). No body, an empty one, or one of another content type is an empty object.
 */
export const bodyFields = (
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<Fields, InvalidRequest | RequestTooLarge | ServiceBusy | UnsupportedBody, InFlight> => {
  const { "content-length": length, "content-type": contentType, "transfer-encoding": transfer } = request.headers
  if (contentType === undefined || (transfer === undefined && (length === undefined || length === "0"))) return noFields
  const [mediaType = "", ...parameters] = contentType.split(";").map((part) => part.trim())
  const charset = parameters
    .map((part) => /^charset\s*=\s*"?([^"]*)"?$/i.exec(part)?.[1])
    .find(Predicate.isNotUndefined)
  switch (mediaType.toLowerCase()) {
    case "application/json":
      return fieldsFrom(request, charset, jsonCharsets, parseJson)
    case "application/x-www-form-urlencoded":
      return fieldsFrom(request, charset, formCharsets, parseForm)
    case "multipart/form-data":
      return Effect.flatMap(bodyBytes(request), (bytes) => parseMultipart(bytes, contentType))
    default:
      return noFields
  }
}

const fieldsFrom = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  stated: string | undefined,
  decoders: Decoders,
  parseText: (text: string, charset: string) => Effect.Effect<Fields, InvalidRequest>
) {
  const charset = stated?.toLowerCase() ?? "utf-8"
  const decode = decoders[charset]
  if (decode === undefined) {
    return yield* new UnsupportedBody({ message: `unsupported charset "${charset.toUpperCase()}"` })
  }
  const bytes = yield* bodyBytes(request)
  return bytes.length === 0 ? {} : yield* parseText(decode(bytes), charset)
})

/** By charset. */
interface Decoders {
  readonly [charset: string]: ((bytes: Uint8Array) => string) | undefined
}

const decoder = (label: string) => (bytes: Uint8Array) => new TextDecoder(label).decode(bytes)
const utf8 = decoder("utf-8")

const jsonCharsets: Decoders = {
  "utf-8": utf8,
  "utf-16": (bytes) => decoder(bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-16le")(bytes),
  "utf-16le": decoder("utf-16le"),
  "utf-16be": decoder("utf-16be")
}

const formCharsets: Decoders = { "utf-8": utf8, "iso-8859-1": (bytes) => Buffer.from(bytes).toString("latin1") }

const parseJson = (text: string): Effect.Effect<Fields, InvalidRequest> =>
  Effect.try({
    try: (): unknown => JSON.parse(text),
    // The place is in the message already, as the offset that the original's runtime gave alone.
    catch: (error) =>
      new InvalidRequest({
        message: String(error instanceof Error ? error.message : error).replace(/ \(line \d+ column \d+\)$/, "")
      })
  }).pipe(
    Effect.filterOrFail(Predicate.isObject, () => new InvalidRequest({ message: "The body must be a JSON object" }))
  )

/** Limits as those of the original's parser (body-parser 2): 1000 parameters, 32 levels, lists of 100. */
const parseForm = (text: string, charset: string): Effect.Effect<Fields, InvalidRequest> =>
  Effect.try({
    try: (): Fields =>
      parse(text, {
        depth: 32,
        strictDepth: true,
        parameterLimit: 1000,
        arrayLimit: 100,
        throwOnLimitExceeded: true,
        charset: charset === "iso-8859-1" ? charset : "utf-8"
      }),
    catch: () => new InvalidRequest({ message: "The form has too many parameters, or they are nested too deeply" })
  })

/** Fields as of the other forms; the files of all parts `files` are the list that JSON has under this name. */
const parseMultipart = Effect.fnUntraced(function* (bytes: Uint8Array, contentType: string) {
  const parts = partsOf(bytes, contentType)
  if (parts === undefined) {
    return yield* new InvalidRequest({ message: "The body is not valid multipart/form-data" })
  }
  const form = new URLSearchParams()
  for (const { bytes, fileName, name } of parts) if (fileName === undefined) form.append(name, utf8(bytes))
  const fields = yield* parseForm(form.toString(), "utf-8")
  const files = parts.flatMap(({ bytes, contentType, fileName = "", name }) =>
    // A browser sends an input without a file as one that has no name.
    (name === "files" || name === "files[]") && (fileName !== "" || bytes.length > 0)
      ? [{ name: fileName, base64: bytes.toString("base64"), type: contentType, size: bytes.length }]
      : []
  )
  return files.length === 0 ? fields : { ...fields, files }
})
