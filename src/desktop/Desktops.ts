import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { ByteSize, Context, Duration, Effect, Layer, Schema, type Scope } from "effect"
import {
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  type HttpClientResponse,
  HttpIncomingMessage
} from "effect/http"
import { withoutCredentials } from "../config/Credentials.ts"
import { Settings } from "../config/Settings.ts"
import { metrics, timed } from "../observability/Metrics.ts"
import { Contact } from "./Contact.ts"
import { actionBody, actionTimeout, type DesktopAction } from "./DesktopAction.ts"
import {
  answerOf,
  CursorPosition,
  type DesktopFile,
  desktopFile,
  messageOf,
  ReadFile,
  Screenshot,
  WriteFile
} from "./DesktopAnswers.ts"
import { OwnActions } from "./OwnActions.ts"
import { TooLate, timelyAgent } from "./TimelyAgent.ts"
import { type Reports, userInput } from "./UserInput.ts"

/**
 * The desktop did not carry a request out; the message is for the model and for people. `Refused`: it said so. `NotReached`: it did not get the
 * request. `NotAnswered`: the outcome is unknown.
 */
export class DesktopFailed extends Schema.TaggedError<DesktopFailed>()("DesktopFailed", {
  reason: Schema.Literals(["Refused", "NotReached", "NotAnswered"]),
  message: Schema.String
}) {}

/** One desktop, through its daemon (docs/contract/desktop.md). */
export interface Desktop {
  /** Whether it answers; shared by all users of this desktop. */
  readonly contact: Contact
  /** Checks whether it answers, and notes that in `contact`. Nothing happens on the desktop. */
  readonly probe: Effect.Effect<void>
  /** Carries out an action; it is sent before `until` (UTC, ms), or never. `key` names it for daemons that never do one twice. */
  readonly perform: (action: DesktopAction, key: string, until: number) => Effect.Effect<void, DesktopFailed>
  /** The screen as base64 PNG. */
  readonly screenshot: Effect.Effect<string, DesktopFailed>
  readonly cursorPosition: Effect.Effect<{ readonly x: number; readonly y: number }, DesktopFailed>
  readonly readFile: (path: string) => Effect.Effect<DesktopFile, DesktopFailed>
  /** `data` is base64; sent before `until` (UTC, ms), or never. */
  readonly writeFile: (path: string, data: string, until: number) => Effect.Effect<void, DesktopFailed>
  readonly startTracking: Effect.Effect<void, DesktopFailed>
  readonly stopTracking: Effect.Effect<void, DesktopFailed>
  /** The user's input, while tracking is on and no action of the agent is under way, until the scope closes; reconnects by itself. */
  readonly userInput: Effect.Effect<Reports, never, Scope.Scope>
}

const probeTimeout = Duration.seconds(5)

/** Statuses of proxies whose daemon does not answer (RFC 9110, section 15.6). */
const gatewayProblems = new Set([502, 503, 504])

/** Clients of desktop daemons by their URL. */
export class Desktops extends Context.Service<Desktops, { readonly at: (url: string) => Desktop }>()(
  "bytebot/Desktops"
) {
  static readonly layer = Layer.effect(
    Desktops,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const { settleDelay } = yield* Settings
      const known = new Map<string, Desktop>()
      const at = (url: string): Desktop => {
        const desktop = known.get(url) ?? desktopAt(client, url, new Contact(), new OwnActions(settleDelay))
        known.set(url, desktop)
        return desktop
      }
      return Desktops.of({ at })
    })
  )
}

const desktopAt = (client: HttpClient.HttpClient, url: string, contact: Contact, own: OwnActions): Desktop => {
  const post = Effect.fn("Desktop.request")(function* (
    path: string,
    body: Readonly<Record<string, Schema.Json>> | undefined,
    timeoutMs: number,
    action?: { readonly key?: string; readonly until: number }
  ) {
    yield* Effect.annotateCurrentSpan({
      "desktop.url": withoutCredentials(url),
      "desktop.action": body?.action ?? path
    })
    const request = HttpClientRequest.post(`${url}${path}`).pipe(
      body === undefined ? (same) => same : HttpClientRequest.bodyJsonUnsafe(body),
      action?.key === undefined ? (same) => same : HttpClientRequest.setHeader("idempotency-key", action.key)
    )
    const sender = action === undefined ? client : yield* timelyClient(action.until)
    return yield* sender.execute(request).pipe(
      Effect.flatMap((response) => Effect.map(boundedText(response), (text) => ({ response, text }))),
      Effect.timeout(Duration.millis(timeoutMs)),
      Effect.tap(contact.answered),
      Effect.tapError((error) => (error._tag === "HttpClientError" && isTooLate(error) ? Effect.void : contact.failed)),
      contact.during,
      Effect.catchTags({
        TimeoutError: () => Effect.fail(notAnswered("the desktop did not answer in time")),
        HttpClientError: (error) =>
          Effect.fail(
            isTooLate(error)
              ? notReached("the connection came too late, nothing was done")
              : isSent(error)
                ? notAnswered("the connection to the desktop broke")
                : notReached("the desktop can't be reached, nothing was done")
          )
      }),
      Effect.flatMap(({ response, text }) => accept(response, text)),
      timed(metrics.desktopRequests, ({ failure, isBroken }) => ({
        action: typeof body?.action === "string" ? body.action : path.slice(1),
        outcome: failure?.reason ?? (isBroken ? "Interrupted" : "ok")
      }))
    )
  })
  const probe = client.execute(HttpClientRequest.get(`${url}/`)).pipe(
    Effect.tap(boundedText),
    Effect.timeout(probeTimeout),
    Effect.filterOrFail(
      ({ status }) => !gatewayProblems.has(status),
      ({ status }) => new DesktopFailed({ reason: "NotReached", message: `a proxy answered ${status}` })
    ),
    Effect.matchEffect({ onFailure: () => contact.failed, onSuccess: () => contact.answered }),
    Effect.withSpan("Desktop.probe", { attributes: { "desktop.url": withoutCredentials(url) } })
  )
  const quick = (body: Readonly<Record<string, Schema.Json>>) => post("/computer-use", body, 30_000)
  return {
    contact,
    probe,
    perform: (action, key, until) =>
      own
        .during(action.action, post("/computer-use", actionBody(action), actionTimeout(action), { key, until }))
        .pipe(Effect.mapError(orUnknown), Effect.asVoid),
    screenshot: Effect.map(Effect.flatMap(quick({ action: "screenshot" }), answer(Screenshot)), ({ image }) => image),
    cursorPosition: Effect.flatMap(quick({ action: "cursor_position" }), answer(CursorPosition)),
    readFile: (path) =>
      Effect.flatMap(Effect.flatMap(quick({ action: "read_file", path }), answer(ReadFile)), fileOrReason),
    writeFile: (path, data, until) =>
      Effect.flatMap(
        Effect.flatMap(
          post("/computer-use", { action: "write_file", path, data }, 120_000, { until }),
          answer(WriteFile)
        ),
        (result) =>
          result.success ? Effect.void : Effect.fail(refused(messageOf(result.message, "the file was not written")))
      ),
    startTracking: Effect.asVoid(post("/input-tracking/start", undefined, 10_000)),
    stopTracking: Effect.asVoid(post("/input-tracking/stop", undefined, 10_000)),
    userInput: userInput(url, own)
  }
}

/** Bytes of an answer: a picture of 32 MB in base64, or a file of a task. */
const largestAnswer = ByteSize.megabytes(72)

/** A hostile desktop must not fill the memory. */
const boundedText = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.provideService(response.text, HttpIncomingMessage.MaxBodySize, largestAnswer)

const timelyClient = (until: number) =>
  Effect.provideService(NodeHttpClient.makeNodeHttp, NodeHttpClient.HttpAgent, timelyAgent(until))

const notAnswered = (message: string): DesktopFailed => new DesktopFailed({ reason: "NotAnswered", message })
const notReached = (message: string): DesktopFailed => new DesktopFailed({ reason: "NotReached", message })

/** An action without an answer may have been carried out. */
const orUnknown = (error: DesktopFailed): DesktopFailed =>
  error.reason === "NotAnswered"
    ? notAnswered(`${error.message}; the action may or may not have taken effect. Look at the screen before you go on.`)
    : error

const refused = (message: string): DesktopFailed => new DesktopFailed({ reason: "Refused", message })

/** This process was late, not the desktop. */
const isTooLate = ({ reason }: HttpClientError.HttpClientError): boolean => reason.cause instanceof TooLate

/** System errors (errno(3)) of a connection that was never made; a name that is not known is one of `getaddrinfo`. */
const neverConnected = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENOTFOUND", "EAI_AGAIN"] as const

/** Whether the daemon may have got the request. */
const isSent = ({ reason }: HttpClientError.HttpClientError): boolean =>
  !(reason._tag === "TransportError" && isNeverConnected(reason.cause))

const isNeverConnected = Schema.is(
  Schema.Union([
    Schema.Struct({ code: Schema.Literals(neverConnected) }),
    Schema.Struct({ syscall: Schema.Literals(["connect", "getaddrinfo"]) })
  ])
)

const accept = (response: HttpClientResponse.HttpClientResponse, text: string): Effect.Effect<string, DesktopFailed> =>
  response.status >= 200 && response.status < 300
    ? Effect.succeed(text)
    : Effect.fail(refused(`the desktop answered ${response.status}${reason(text)}`))

/** The `message` of the daemon's error body, where it is text. */
const reason = (text: string): string => {
  const decoded = decodeProblem(answerOf(text))
  return decoded._tag === "Some" ? `: ${messageOf(decoded.value.message, "")}` : ""
}

const decodeProblem = Schema.decodeUnknownOption(Schema.Struct({ message: Schema.String }))

const answer =
  <S extends Schema.Constraint & { readonly DecodingServices: never }>(schema: S) =>
  (text: string): Effect.Effect<S["Type"], DesktopFailed> =>
    Schema.decodeUnknownEffect(schema)(answerOf(text)).pipe(
      Effect.mapError(() => refused("the desktop's answer is not what was expected"))
    )

const fileOrReason = (file: typeof ReadFile.Type): Effect.Effect<DesktopFile, DesktopFailed> =>
  file.success
    ? Effect.succeed(desktopFile(file))
    : Effect.fail(refused(messageOf(file.message, "the file could not be read")))
