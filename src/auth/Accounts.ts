import { Context, Effect, Layer } from "effect"
import type { Headers } from "effect/http"
import { Settings } from "../config/Settings.ts"
import { AccountsOff, Forbidden, Unauthorized } from "../domain/AccountErrors.ts"
import type { ApiKey, NewApiKey } from "../domain/ApiKey.ts"
import { type CallerIdentity, everybody } from "../domain/Caller.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { ApiKeys, keyPrefix } from "./ApiKeys.ts"
import { adminRole, BetterAuth } from "./BetterAuth.ts"

/** The part of a request, or of a socket's handshake, that identifies the caller. */
export interface Credentials {
  readonly headers: Headers.Headers
  /** Whether it may change something: a cookie is accepted only from a trusted origin then. */
  readonly mayChange: boolean
}

/** Identifies callers. While accounts are off, all callers are the same. */
export class Accounts extends Context.Service<
  Accounts,
  {
    readonly areOn: boolean
    /** The caller, by API key, bearer token or session cookie. */
    readonly identify: (
      credentials: Credentials
    ) => Effect.Effect<CallerIdentity, Unauthorized | Forbidden | DatabaseUnavailable>
    /** Answers a request under Better Auth's path. */
    readonly handle: (request: Request) => Effect.Effect<Response, AccountsOff | DatabaseUnavailable>
    /** The keys of a caller. Making one needs a session: a key can't make another one. */
    readonly keys: {
      readonly create: (
        caller: CallerIdentity,
        options: Parameters<ApiKeys["Service"]["create"]>[1]
      ) => Effect.Effect<NewApiKey, AccountsOff | Forbidden | DatabaseUnavailable>
      readonly list: (caller: CallerIdentity) => Effect.Effect<ReadonlyArray<ApiKey>, AccountsOff | DatabaseUnavailable>
      readonly revoke: (
        caller: CallerIdentity,
        id: string
      ) => Effect.Effect<void, AccountsOff | Effect.Error<ReturnType<ApiKeys["Service"]["revoke"]>>>
    }
  }
>()("bytebot/Accounts") {
  static readonly off = Layer.succeed(
    Accounts,
    Accounts.of({
      areOn: false,
      identify: () => Effect.succeed(everybody),
      handle: () => Effect.fail(new AccountsOff()),
      keys: {
        create: () => Effect.fail(new AccountsOff()),
        list: () => Effect.fail(new AccountsOff()),
        revoke: () => Effect.fail(new AccountsOff())
      }
    })
  )

  static readonly layer = Layer.effect(
    Accounts,
    Effect.gen(function* () {
      const auth = yield* BetterAuth
      const keys = yield* ApiKeys

      const byKey = Effect.fnUntraced(function* (key: string) {
        const found = yield* keys.find(key)
        if (found === null) return yield* new Unauthorized()
        return identityOf(found.userId, found.role, { id: found.id, kind: "key" })
      })

      const bySession = Effect.fnUntraced(function* (headers: globalThis.Headers) {
        const found = yield* auth.session(headers)
        if (found === null) return yield* new Unauthorized()
        return identityOf(found.user.id, found.user.role ?? null, { id: found.session.id, kind: "session" })
      })

      /** As Better Auth has it for its own routes: the browser says which page is behind a request with a cookie. */
      const checkOrigin = ({ headers, mayChange }: Credentials) => {
        const from = headers.origin ?? headers.referer
        if (from === undefined ? !mayChange : auth.isTrustedOrigin(from)) return Effect.void
        const message = `The page at ${from ?? "an unknown origin"} may not use a session cookie: see BETTER_AUTH_TRUSTED_ORIGINS`
        return Effect.fail(new Forbidden({ message }))
      }

      const identify = Effect.fn("Accounts.identify")(function* (credentials: Credentials) {
        const { authorization, cookie, "x-api-key": apiKey } = credentials.headers
        if (apiKey !== undefined) return yield* byKey(apiKey)
        if (authorization !== undefined) {
          const token = /^bearer\s+(\S+)\s*$/i.exec(authorization)?.[1]
          if (token === undefined) return yield* new Unauthorized()
          return yield* token.startsWith(keyPrefix)
            ? byKey(token)
            : bySession(new globalThis.Headers({ authorization: `Bearer ${token}` }))
        }
        if (cookie === undefined) return yield* new Unauthorized()
        const caller = yield* bySession(new globalThis.Headers({ cookie }))
        yield* checkOrigin(credentials)
        return caller
      })

      const userOf = ({ userId }: CallerIdentity) =>
        userId === null
          ? Effect.die(new Error("A caller without a user, while accounts are on"))
          : Effect.succeed(userId)

      return Accounts.of({
        areOn: true,
        identify,
        handle: Effect.fn("Accounts.handle")((request) => auth.handle(request)),
        keys: {
          create: Effect.fnUntraced(function* (caller, options) {
            if (caller.login?.kind !== "session") {
              return yield* new Forbidden({ message: "An API key can't make another one: log in" })
            }
            return yield* keys.create(yield* userOf(caller), options)
          }),
          list: (caller) => Effect.flatMap(userOf(caller), keys.list),
          revoke: (caller, id) => Effect.flatMap(userOf(caller), (userId) => keys.revoke(userId, id))
        }
      })
    })
  ).pipe(Layer.provideMerge(ApiKeys.layer), Layer.provide(BetterAuth.layer))

  /** As AUTH_ENABLED says. */
  static readonly configured = Layer.unwrap(
    Effect.map(Settings, ({ authEnabled }) => (authEnabled ? Accounts.layer : Accounts.off))
  )
}

const identityOf = (userId: string, role: string | null, login: CallerIdentity["login"]): CallerIdentity => ({
  userId,
  seesAll: role === adminRole,
  login
})
