import { Schema, SchemaTransformation } from "effect"
import { HttpApiSchema } from "effect/http-api"
import { AccountsOff, ApiKeyNotFound, Forbidden, Unauthorized } from "../domain/AccountErrors.ts"
import { FileNotFound, ImageNotFound } from "../domain/AttachmentErrors.ts"
import { ServiceBusy, TooManyOpen, TooManyRequests } from "../domain/LimitErrors.ts"
import {
  DatabaseUnavailable,
  DesktopHeld,
  InvalidRequest,
  ModelsUnavailable,
  NoModelConfigured,
  TaskAlreadyFinished,
  TaskNotFound,
  TaskNotUnderAgentControl,
  TaskNotUnderUserControl
} from "../domain/TaskErrors.ts"
import { RequestTooLarge, UnsupportedBody } from "./RequestErrors.ts"

/**
 * Status and body of each tagged error on the wire (docs/contract/rest.md, "General"). The codecs work both ways: a client derived from the
 * API gets the tagged error back.
 */

const titles = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  409: "Conflict",
  429: "Too Many Requests",
  503: "Service Unavailable"
} as const
type Status = keyof typeof titles

interface WithMessage {
  readonly message: string
}

/** `{message, error, statusCode}`: the order of the keys is part of the contract. */
const bodyOf = <Self extends WithMessage, const S extends Status>(
  error: Schema.Codec<Self, unknown>,
  status: S,
  fromMessage: (message: string) => Self,
  message: Schema.Codec<string> = Schema.String
) =>
  Schema.Struct({ message, error: Schema.Literal(titles[status]), statusCode: Schema.Literal(status) }).pipe(
    Schema.decodeTo(
      Schema.toType(error),
      SchemaTransformation.transform({
        decode: (body) => fromMessage(body.message),
        encode: ({ message }: Self) => ({ message, error: titles[status], statusCode: status })
      })
    ),
    HttpApiSchema.status(status)
  )

/** Nest's other body, `{statusCode, message}`. */
const shortBodyOf = <Self extends WithMessage, const S extends number>(
  error: Schema.Codec<Self, unknown>,
  status: S,
  fromMessage: (message: string) => Self
) =>
  Schema.Struct({ statusCode: Schema.Literal(status), message: Schema.String }).pipe(
    Schema.decodeTo(
      Schema.toType(error),
      SchemaTransformation.transform({
        decode: (body) => fromMessage(body.message),
        encode: ({ message }: Self) => ({ statusCode: status, message })
      })
    ),
    HttpApiSchema.status(status)
  )

/** Of an error with an id, which is read back from the sentence. */
const idBodyOf = <Self extends WithMessage, const S extends Status>(
  error: Schema.Codec<Self, unknown> & { new (props: { readonly id: string }): Self },
  status: S
) => {
  const [before = "", after = ""] = new error({ id: "\n" }).message.split("\n")
  return bodyOf(
    error,
    status,
    (message) => new error({ id: message.slice(before.length, message.length - after.length) }),
    Schema.TemplateLiteral([before, Schema.String, after])
  )
}

/** Of an error whose message is always the same. */
const fixedBodyOf = <Self extends WithMessage, const S extends Status>(
  error: Schema.Codec<Self, unknown> & { new (): Self },
  status: S
) => bodyOf(error, status, () => new error(), Schema.Literal(new error().message))

export const TaskNotFoundBody = idBodyOf(TaskNotFound, 404)
export const TaskNotUnderAgentControlBody = idBodyOf(TaskNotUnderAgentControl, 400)
export const DesktopHeldBody = idBodyOf(DesktopHeld, 409)
export const TaskNotUnderUserControlBody = idBodyOf(TaskNotUnderUserControl, 400)
export const TaskAlreadyFinishedBody = idBodyOf(TaskAlreadyFinished, 400)
export const ApiKeyNotFoundBody = idBodyOf(ApiKeyNotFound, 404)
export const FileNotFoundBody = idBodyOf(FileNotFound, 404)
export const ImageNotFoundBody = idBodyOf(ImageNotFound, 404)

export const NoModelConfiguredBody = fixedBodyOf(NoModelConfigured, 400)
export const AccountsOffBody = fixedBodyOf(AccountsOff, 404)
export const ServiceBusyBody = fixedBodyOf(ServiceBusy, 503)

export const UnauthorizedBody = bodyOf(Unauthorized, 401, () => new Unauthorized())
export const ForbiddenBody = bodyOf(Forbidden, 403, (message) => new Forbidden({ message }))
export const InvalidRequestBody = bodyOf(InvalidRequest, 400, (message) => new InvalidRequest({ message }))
export const TooManyOpenBody = bodyOf(TooManyOpen, 429, (message) => new TooManyOpen({ message }))
export const TooManyRequestsBody = bodyOf(TooManyRequests, 429, (message) => {
  const retryAfter = Number(/(\d+) s$/.exec(message)?.[1] ?? 60)
  return new TooManyRequests({ retryAfter })
})
/** The message tells nothing of the reason. */
export const DatabaseUnavailableBody = bodyOf(
  DatabaseUnavailable,
  503,
  (message) => new DatabaseUnavailable({ reason: message })
)

export const ModelsUnavailableBody = shortBodyOf(
  ModelsUnavailable,
  502,
  (message) => new ModelsUnavailable({ message })
)
export const RequestTooLargeBody = shortBodyOf(RequestTooLarge, 413, () => new RequestTooLarge())
export const UnsupportedBodyBody = shortBodyOf(UnsupportedBody, 415, (message) => new UnsupportedBody({ message }))

/** Errors of routes that are not endpoints of the API: Better Auth's, and the one of RPC. */
export const DeclaredErrorBody = Schema.Union([
  UnauthorizedBody,
  ForbiddenBody,
  TooManyRequestsBody,
  TooManyOpenBody,
  AccountsOffBody,
  InvalidRequestBody,
  RequestTooLargeBody,
  UnsupportedBodyBody,
  ServiceBusyBody,
  DatabaseUnavailableBody
])
export type DeclaredError = typeof DeclaredErrorBody.Type
