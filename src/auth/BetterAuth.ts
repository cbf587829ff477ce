import { randomUUID } from "node:crypto"
import { Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import { Settings } from "../config/Settings.ts"
import { meet } from "./Outages.ts"

/** Better Auth refused to make an account; the message is its own. */
export class AccountRefused extends Schema.TaggedError<AccountRefused>()("AccountRefused", {
  message: Schema.String
}) {}

const reasonOf = (reason: unknown): string => (reason instanceof Error ? reason.message : String(reason))

/** Where Better Auth's routes are; its clients' default. */
export const basePath = "/api/auth"

/** Header with the client's address for Better Auth. A client's own header of this name is dropped. */
export const clientAddressHeader = "x-bytebot-client-address"

/** The role of users who see the tasks of all users. */
export const adminRole = "admin"

const Session = Schema.Struct({
  session: Schema.Struct({ id: Schema.String }),
  user: Schema.Struct({ id: Schema.String, role: Schema.optionalKey(Schema.NullOr(Schema.String)) })
})
const decodeSession = Schema.decodeUnknownEffect(Schema.NullOr(Session))

/** Calls Better Auth. An outage of the database is a failure; any other error is a bug. */
const attempt = <A>(call: () => Promise<A>, isFailure: (value: A) => boolean = () => false) =>
  Effect.flatMap(
    Effect.promise(() => meet(call)),
    ({ outage, result }) => {
      if (result.status === "fulfilled" && !isFailure(result.value)) return Effect.succeed(result.value)
      if (outage !== undefined) return Effect.fail(outage)
      return result.status === "fulfilled" ? Effect.succeed(result.value) : Effect.die(result.reason)
    }
  )

/**
 * Better Auth (https://better-auth.com) on the original's tables (docs/contract/database.md): e-mail and password, sessions, cookies, bearer tokens.
 * It is loaded only where accounts are on.
 */
const make = Effect.gen(function* () {
  const { betterAuthSecret, betterAuthUrl, betterAuthTrustedOrigins, corsOrigins, port, signUp } = yield* Settings
  const log = Effect.runForkWith(yield* Effect.context<never>())
  const [{ betterAuth }, { bearer }, SqlDialect] = yield* Effect.promise(() =>
    Promise.all([import("better-auth"), import("better-auth/plugins/bearer"), import("./SqlDialect.ts")])
  )
  const dialect = yield* SqlDialect.make
  // Better Auth would expect its routes below the path of its URL, which a proxy in front has removed.
  const { origin } = new URL(Option.getOrElse(betterAuthUrl, () => `http://localhost:${port}`))
  const trustedOrigins = [betterAuthTrustedOrigins, corsOrigins].flatMap((list) =>
    Option.getOrElse(list, () => []).filter((entry) => entry !== "*")
  )
  const auth = betterAuth({
    appName: "bytebot-agent",
    baseURL: origin,
    basePath,
    secret: Redacted.value(Option.getOrThrow(betterAuthSecret)),
    trustedOrigins,
    database: { dialect, type: "postgres", transaction: true },
    user: {
      modelName: "User",
      additionalFields: { role: { type: "string", required: false, input: false } }
    },
    session: { modelName: "Session" },
    account: { modelName: "Account" },
    verification: { modelName: "Verification" },
    // Without the session that a sign-up would open, its answer is the same for addresses that have an account; so is the hashing.
    emailAndPassword: { enabled: true, disableSignUp: !signUp, autoSignIn: false },
    plugins: [bearer()],
    // Counted before it comes here, for all replicas together (src/limits).
    rateLimit: { enabled: false },
    advanced: {
      database: { generateId: () => randomUUID(), validateSchema: false },
      ipAddress: { ipAddressHeaders: [clientAddressHeader] },
      // Stated, as the default is another one under test.
      disableCSRFCheck: false,
      disableOriginCheck: false
    },
    // Errors that are no answers are thrown, and logged by the service: Better Auth would write them to the console.
    onAPIError: { throw: true },
    telemetry: { enabled: false },
    logger: {
      level: "warn",
      log: (level, message) => {
        log(level === "error" ? Effect.logError(message) : Effect.logWarning(message))
      }
    }
  })
  const context = yield* Effect.promise(() => auth.$context)

  return {
    /** Answers a request under `basePath`. */
    handle: (request: Request) =>
      attempt(
        () => auth.handler(request),
        ({ status }) => status >= 500
      ),
    /** The session of the cookie or bearer token in the headers; null where there is none, or it is over. */
    session: (headers: Headers) =>
      Effect.flatMap(
        attempt(() => auth.api.getSession({ headers })),
        (found) => Effect.orDie(decodeSession(found))
      ),
    /** Makes an account, also where sign-up is disabled, and gives its user's id. */
    register: (account: { readonly email: string; readonly name: string; readonly password: string }) =>
      Effect.gen(function* () {
        // Better Auth's own answer does not tell whether the address is known.
        const known = yield* attempt(() => context.internalAdapter.findUserByEmail(account.email.toLowerCase()))
        if (known !== null) return yield* new AccountRefused({ message: `A user ${account.email} already exists` })
        const [made] = yield* attempt(() => Promise.allSettled([auth.api.signUpEmail({ body: account })]))
        return made.status === "fulfilled"
          ? made.value.user.id
          : yield* new AccountRefused({ message: reasonOf(made.reason) })
      }),
    /** Whether pages of this origin may use a user's cookie. */
    isTrustedOrigin: (url: string): boolean => context.isTrustedOrigin(url)
  }
})

/** Better Auth in the running service; there is none where accounts are off. */
export class BetterAuth extends Context.Service<BetterAuth, Effect.Success<typeof make>>()("bytebot/BetterAuth") {
  static readonly layer = Layer.effect(BetterAuth, make)
}
