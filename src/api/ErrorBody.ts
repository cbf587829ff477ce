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
 * The one place that says which status and which body each tagged error has on the wire (docs/contract/rest.md, "General"). The codecs
 * work both ways: a client derived from the API gets the tagged error back.
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

/** The usual body, as `{message, error, statusCode}`: the order of the keys is part of the contract. */
const bodyOf = <Self extends { readonly message: string }, const Status extends keyof typeof titles>(
  error: Schema.Codec<Self, unknown>,
  status: Status,
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

/** The original's other body, `{statusCode, message}`, for what does not come from a task. */
const shortBodyOf = <Self extends { readonly message: string }, const Status extends number>(
  error: Schema.Codec<Self, unknown>,
  status: Status,
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

/** The body of an error that is about one thing with an id, which is read back out of the sentence. */
const idBodyOf = <Self extends { readonly message: string }, const Status extends keyof typeof titles>(
  error: Schema.Codec<Self, unknown> & { new (props: { readonly id: string }): Self },
  status: Status
) => {
  const [before = "", after = ""] = new error({ id: "\n" }).message.split("\n")
  return bodyOf(
    error,
    status,
    (message) => new error({ id: message.slice(before.length, message.length - after.length) }),
    Schema.TemplateLiteral([before, Schema.String, after])
  )
}

export const TaskNotFoundBody = idBodyOf(TaskNotFound, 404)
export const TaskNotUnderAgentControlBody = idBodyOf(TaskNotUnderAgentControl, 400)
export const DesktopHeldBody = idBodyOf(DesktopHeld, 409)
export const TaskNotUnderUserControlBody = idBodyOf(TaskNotUnderUserControl, 400)
export const TaskAlreadyFinishedBody = idBodyOf(TaskAlreadyFinished, 400)

export const NoModelConfiguredBody = bodyOf(
  NoModelConfigured,
  400,
  () => new NoModelConfigured(),
  Schema.Literal(new NoModelConfigured().message)
)

export const ApiKeyNotFoundBody = idBodyOf(ApiKeyNotFound, 404)
export const FileNotFoundBody = idBodyOf(FileNotFound, 404)
export const ImageNotFoundBody = idBodyOf(ImageNotFound, 404)
export const AccountsOffBody = bodyOf(
  AccountsOff,
  404,
  () => new AccountsOff(),
  Schema.Literal(new AccountsOff().message)
)
export const UnauthorizedBody = bodyOf(Unauthorized, 401, () => new Unauthorized())
export const TooManyRequestsBody = bodyOf(
  TooManyRequests,
  429,
  (message) => new TooManyRequests({ retryAfter: Number(/(\d+) s$/.exec(message)?.[1] ?? 60) })
)
export const TooManyOpenBody = bodyOf(TooManyOpen, 429, (message) => new TooManyOpen({ message }))
export const ForbiddenBody = bodyOf(Forbidden, 403, (message) => new Forbidden({ message }))

export const InvalidRequestBody = bodyOf(InvalidRequest, 400, (message) => new InvalidRequest({ message }))

export const ServiceBusyBody = bodyOf(
  ServiceBusy,
  503,
  () => new ServiceBusy(),
  Schema.Literal(new ServiceBusy().message)
)

/** Shows nothing of the reason, which is about our insides. */
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

/** Errors of routes that no endpoint of the API describes, such as streams and files. */
export const DeclaredErrorBody = Schema.Union([
  UnauthorizedBody,
  ForbiddenBody,
  TooManyRequestsBody,
  TooManyOpenBody,
  TaskNotFoundBody,
  FileNotFoundBody,
  ImageNotFoundBody,
  AccountsOffBody,
  InvalidRequestBody,
  RequestTooLargeBody,
  UnsupportedBodyBody,
  ServiceBusyBody,
  DatabaseUnavailableBody
])
export type DeclaredError = typeof DeclaredErrorBody.Type
