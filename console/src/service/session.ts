import { Effect, Option, Predicate, Schedule, Schema } from "effect"
import type { FormEvent } from "react"
import { addressOf, Clients, runtime } from "./Clients.ts"
import { useProgram } from "./useProgram.ts"

export type Session =
  | { readonly kind: "asking" }
  | { readonly kind: "signedOut" }
  | { readonly kind: "in"; readonly user: string | undefined; readonly signOut: (event: FormEvent) => void }

/** The service refused the login; the message is a sentence. */
export class LoginRefused extends Schema.TaggedError<LoginRefused>()("LoginRefused", { message: Schema.String }) {}

const User = Schema.Struct({ user: Schema.Struct({ email: Schema.String }) })
const Refusal = Schema.Struct({ message: Schema.String })

const post = (path: string, body: unknown) =>
  Effect.tryPromise({
    try: async () => {
      const response = await fetch(addressOf(path), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body)
      })
      const json: unknown = await response.json().catch(() => null)
      return { ok: response.ok, json }
    },
    catch: () => new LoginRefused({ message: "The service did not answer" })
  })

/** Signs in by the session's cookie. The page starts anew, so that the socket's handshake has it. */
export const signIn = (login: { readonly email: string; readonly password: string }) =>
  Effect.gen(function* () {
    const { json, ok } = yield* post("/auth/login", login)
    if (ok) return window.location.reload()
    const refusal = Schema.decodeUnknownOption(Refusal)(json)
    return yield* new LoginRefused({
      message: Option.match(refusal, { onNone: () => "The login was refused", onSome: ({ message }) => message })
    })
  })

const signOut = (event: FormEvent) => {
  event.preventDefault()
  runtime.runFork(
    Effect.andThen(
      Effect.ignore(post("/auth/logout", {})),
      Effect.sync(() => window.location.reload())
    )
  )
}

/** Accounts are off where `/auth/me` is unknown. */
const whoAmI = Effect.promise(() =>
  fetch(addressOf("/auth/me"))
    .then((response) => (response.ok ? response.json() : null))
    .catch(() => null)
).pipe(Effect.map((json: unknown) => Option.getOrUndefined(Schema.decodeUnknownOption(User)(json))?.user.email))

/** Whether the page may ask the service, and as which user. */
export const useSession = (): Session =>
  useProgram<Session>(
    { kind: "asking" },
    (update) =>
      Effect.gen(function* () {
        const { rest } = yield* Clients
        yield* rest.tasks.list({ query: { limit: 0 } })
        const user = yield* whoAmI
        update(() => ({ kind: "in", user, signOut }))
      }).pipe(
        Effect.retry({
          while: (error) => !Predicate.isTagged(error, "Unauthorized"),
          schedule: Schedule.spaced("1 second")
        }),
        Effect.catch(() => Effect.sync(() => update(() => ({ kind: "signedOut" }))))
      ),
    "session"
  )
