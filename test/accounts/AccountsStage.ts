import { randomUUID } from "node:crypto"
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { freePort } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"

export interface Answer {
  readonly status: number
  readonly json: Schema.Json
  readonly headers: Headers
}

/** Headers that say who somebody is. */
export type Who = Readonly<Record<string, string>>

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Json))

/** A service with accounts, with an emulated model that never answers and an emulated desktop. */
export class AccountsStage extends Context.Service<
  AccountsStage,
  {
    readonly url: string
    readonly sql: SqlClient.SqlClient
    readonly model: Anthropic.AnthropicEmulator
    readonly desktop: Desktop.DesktopEmulator
    readonly send: (who: Who, method: string, path: string, body?: Schema.Json) => Effect.Effect<Answer>
    /** Makes an account; its id, and a bearer token of it. */
    readonly register: (email: string) => Effect.Effect<{ readonly id: string; readonly bearer: Who }>
  }
>()("test/AccountsStage") {
  static readonly layer = (variables: Readonly<Record<string, string>> = {}) =>
    Layer.effect(
      AccountsStage,
      Effect.gen(function* () {
        const model = yield* Anthropic.scoped({ defaultReply: { hang: true } })
        const desktop = yield* Desktop.scoped()
        const port = yield* freePort
        const { sql, url } = yield* startService({
          ANTHROPIC_API_KEY: "test-key",
          ANTHROPIC_BASE_URL: model.url,
          BYTEBOT_DESKTOP_BASE_URL: desktop.url,
          PORT: String(port),
          AUTH_ENABLED: "true",
          BETTER_AUTH_SECRET: "planted-secret-of-the-tests-0123456789abcdef",
          BETTER_AUTH_URL: `http://127.0.0.1:${port}`,
          BYTEBOT_LOGIN_LIMIT: "1000",
          // The model never answers: nobody needs to wait for it.
          SHUTDOWN_TIMEOUT: "500",
          DATABASE_URL: yield* migrated,
          ...variables
        })
        const send = (who: Who, method: string, path: string, body?: Schema.Json) =>
          Effect.promise(async () => {
            const response = await fetch(`${url}${path}`, {
              method,
              redirect: "manual",
              headers: { ...who, ...(body === undefined ? {} : { "content-type": "application/json" }) },
              ...(body === undefined ? {} : { body: JSON.stringify(body) })
            })
            const json = decodeJson(await response.text())
            return {
              status: response.status,
              headers: response.headers,
              json: json._tag === "Some" ? json.value : null
            }
          })
        const register = Effect.fnUntraced(function* (email: string) {
          yield* send({}, "POST", "/api/auth/sign-up/email", { email, password, name: email })
          const answer = yield* send({}, "POST", "/api/auth/sign-in/email", { email, password })
          const { token, user } = decodeSignIn(answer.json)
          return { id: user.id, bearer: { authorization: `Bearer ${token}` } }
        })
        return { url, sql, model, desktop, send, register }
      })
    )
}

/** Of every account. */
export const password = "correct horse battery"

const decodeSignIn = Schema.decodeUnknownSync(
  Schema.Struct({ token: Schema.String, user: Schema.Struct({ id: Schema.String }) })
)
const decodeId = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))

/** An e-mail address that no other test has. */
export const uniqueEmail = () => `${randomUUID()}@example.org`

/** Creates a task as somebody; its id. */
export const createTask = Effect.fnUntraced(function* (who: Who, description = "a task") {
  const { send } = yield* AccountsStage
  return decodeId((yield* send(who, "POST", "/tasks", { description })).json).id
})

/** Two users, an administrator, and a key of the first user's. */
export const people = Effect.gen(function* () {
  const { register, send, sql } = yield* AccountsStage
  const [owner, stranger, administrator] = yield* Effect.all([
    register(uniqueEmail()),
    register(uniqueEmail()),
    register(uniqueEmail())
  ])
  yield* sql`UPDATE "User" SET "role" = 'admin' WHERE "id" = ${administrator.id}`
  const made = yield* send(owner.bearer, "POST", "/api-keys", { name: "machine" })
  const { key } = Schema.decodeUnknownSync(Schema.Struct({ key: Schema.String }))(made.json)
  return { owner, stranger, administrator, key: { authorization: `Bearer ${key}` }, otherHeader: { "x-api-key": key } }
})
