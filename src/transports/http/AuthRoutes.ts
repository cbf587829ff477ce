import { Effect, Layer, Option, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Accounts } from "../../auth/Accounts.ts"
import { basePath, clientAddressHeader } from "../../auth/BetterAuth.ts"
import { Settings } from "../../config/Settings.ts"
import { Unauthorized } from "../../domain/AccountErrors.ts"
import { InvalidRequest } from "../../domain/TaskErrors.ts"
import { RequestLimits } from "../../limits/RequestLimits.ts"
import { clientAddress, limitKey } from "../ClientAddress.ts"
import { sayWhen } from "./Authenticate.ts"
import { bodyBytes } from "./BodyBytes.ts"
import { answered } from "./FailureResponse.ts"

/** Bytes of a body: a name, an address and a password, from clients that are not logged in. */
const largestBody = 64 * 1024

/** Headers of the connection and of the encoded body, and the one that only this service may set. */
const notForwarded = new Set([
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "connection",
  clientAddressHeader
])

const bodyText = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const text = new TextDecoder().decode(yield* bodyBytes(request, largestBody))
  // Better Auth would log it as an error of its own.
  const isMalformed = text !== "" && isJson(request) && Option.isNone(decodeJson(text))
  if (isMalformed) return yield* new InvalidRequest({ message: "The body is not valid JSON" })
  return text.includes(isJson(request) ? "\\u0000" : "%00")
    ? yield* new InvalidRequest({ message: "expected text without NUL characters" })
    : text
})

const isJson = ({ headers }: HttpServerRequest.HttpServerRequest) =>
  headers["content-type"] === undefined || headers["content-type"].includes("json")

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Json))

/** Whether it is an attempt to log in, or to make an account. */
const isAttempt = ({ pathname }: URL): boolean => /sign-(in|up)/i.test(pathname)

const fetchMetadata = ["sec-fetch-mode", "sec-fetch-dest"]

/**
 * Whether the request can't be a page's: it has no cookie and names no origin. Node's fetch sends Sec-Fetch-Mode alone, which Better Auth
 * takes for a browser's; browsers send Sec-Fetch-Site with it (W3C, Fetch Metadata, section 2).
 */
const isNoBrowser = ({ headers }: HttpServerRequest.HttpServerRequest) =>
  [headers.origin, headers.referer, headers.cookie, headers["sec-fetch-site"]].every((value) => value === undefined)

/** Better Auth's answer to the request, with another path or body where they are given. */
const betterAuth = (change: { readonly path?: string; readonly body?: (sent: string) => string } = {}) =>
  Effect.gen(function* () {
    const accounts = yield* Accounts
    const limits = yield* RequestLimits
    const { proxies } = yield* Settings
    const request = yield* HttpServerRequest.HttpServerRequest
    // Better Auth looks at the path only: its own URL is a setting.
    const url = new URL(change.path ?? request.url, "http://localhost")
    const address = clientAddress(proxies, request.remoteAddress, request.headers["x-forwarded-for"])
    yield* (isAttempt(url) ? limits.countLogin : limits.countAccountRequest)(limitKey(address)).pipe(
      Effect.tapErrorTag("TooManyRequests", sayWhen)
    )
    const isRead = request.method === "GET" || request.method === "HEAD"
    const sent = isRead ? "" : yield* bodyText(request)
    const body = change.body?.(sent) ?? sent
    const headers = new Headers(Object.entries(request.headers).filter(([name]) => !notForwarded.has(name)))
    if (isNoBrowser(request)) for (const name of fetchMetadata) headers.delete(name)
    headers.set(clientAddressHeader, address)
    if (body !== "" && !headers.has("content-type")) headers.set("content-type", "application/json")
    return yield* accounts.handle(new Request(url, { method: request.method, headers, ...(isRead ? {} : { body }) }))
  })

const decodeFields = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json)))

/** Better Auth requires a name, which the Rust version's clients may leave out. */
const withName = (sent: string): string =>
  Option.match(decodeFields(sent), {
    onNone: () => sent,
    onSome: (fields) => JSON.stringify({ name: String(fields.email ?? "").replace(/@.*$/s, ""), ...fields })
  })

const alias = (path: string, body?: (sent: string) => string) =>
  answered(
    Effect.map(
      betterAuth({ path: basePath + path, ...(body === undefined ? {} : { body }) }),
      HttpServerResponse.fromWeb
    )
  )

/** The session's user. Better Auth itself answers null where there is no session. */
const me = answered(
  Effect.gen(function* () {
    const response = yield* betterAuth({ path: `${basePath}/get-session` })
    const session = yield* Effect.promise(() => response.clone().text())
    if (response.ok && (session === "null" || session === "")) return yield* new Unauthorized()
    return HttpServerResponse.fromWeb(response)
  })
)

/** Better Auth's own routes, for its clients, and the Rust version's names for four of them; none while accounts are off. */
export const AuthRoutes = Layer.unwrap(
  Effect.map(Accounts, ({ areOn }) =>
    areOn
      ? HttpRouter.addAll([
          HttpRouter.route("*", `${basePath}/*`, answered(Effect.map(betterAuth(), HttpServerResponse.fromWeb))),
          HttpRouter.route("POST", "/auth/register", alias("/sign-up/email", withName)),
          HttpRouter.route("POST", "/auth/login", alias("/sign-in/email")),
          HttpRouter.route("POST", "/auth/logout", alias("/sign-out")),
          HttpRouter.route("GET", "/auth/me", me)
        ])
      : Layer.empty
  )
)
