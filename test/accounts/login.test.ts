import { randomUUID, scryptSync } from "node:crypto"
import { assert, describe, it, layer } from "@effect/vitest"
import { createAuthClient } from "better-auth/client"
import { Effect, Option, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { freePort, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"
import { AccountsStage, password, uniqueEmail } from "./AccountsStage.ts"

const decodeLine = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ level: Schema.String, message: Schema.Unknown }))
)
const decodeTask = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))

/** Rows as the original wrote them. Better Auth has hashed passwords so since its first version: scrypt, salt and key in hex. */
const storeAsOriginal = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, email: string) {
  const [id, salt] = [randomUUID(), "9f86d081884c7d659a2feaa0c55ad015"]
  const key = scryptSync(password, salt, 64, { N: 16384, r: 16, p: 1, maxmem: 64 * 1024 * 1024 }).toString("hex")
  yield* sql`INSERT INTO "User" ("id", "email", "updatedAt") VALUES (${id}, ${email}, now())`
  yield* sql`INSERT INTO "Account" ("id", "userId", "accountId", "providerId", "password", "updatedAt")
    VALUES (${randomUUID()}, ${id}, ${id}, 'credential', ${`${salt}:${key}`}, now())`
})

/** Session cookies as a browser keeps them. */
const cookieOf = (headers: Headers): string =>
  headers
    .getSetCookie()
    .map((line) => line.split(";", 1)[0])
    .join("; ")

layer(AccountsStage.layer({ CORS_ORIGINS: "https://ui.example.org" }), {
  timeout: "60 seconds",
  excludeTestServices: true
})("accounts", (test) => {
  test.effect("better-auth's own client signs up, logs in, creates a task and logs out", () =>
    Effect.gen(function* () {
      const { send, url } = yield* AccountsStage
      const email = uniqueEmail()
      let token = ""
      const client = createAuthClient({
        baseURL: url,
        fetchOptions: {
          auth: { type: "Bearer", token: () => token },
          onSuccess: ({ response }) => {
            token = response.headers.get("set-auth-token") ?? token
          }
        }
      })
      const signedUp = yield* Effect.promise(() => client.signUp.email({ email, password, name: "Ada" }))
      assert.strictEqual(signedUp.error, null)
      assert.strictEqual(signedUp.data?.user.email, email)

      assert.strictEqual(token, "")
      const loggedIn = yield* Effect.promise(() => client.signIn.email({ email, password }))
      assert.strictEqual(loggedIn.error, null)
      const session = yield* Effect.promise(() => client.getSession())
      assert.strictEqual(session.data?.user.email, email)

      const who = { authorization: `Bearer ${token}` }
      const created = yield* send(who, "POST", "/tasks", { description: "by a client" })
      assert.strictEqual(created.status, 201)
      const { id } = decodeTask(created.json)
      assert.strictEqual((yield* send(who, "GET", `/tasks/${id}`)).status, 200)

      const loggedOut = yield* Effect.promise(() => client.signOut())
      assert.strictEqual(loggedOut.error, null)
      assert.strictEqual((yield* send(who, "GET", `/tasks/${id}`)).status, 401)
      const wrong = yield* Effect.promise(() => client.signIn.email({ email, password: "wrong password" }))
      assert.strictEqual(wrong.error?.status, 401)
    })
  )

  test.effect("serves the Rust version's four routes", () =>
    Effect.gen(function* () {
      const { send } = yield* AccountsStage
      const email = uniqueEmail()
      const registered = yield* send({}, "POST", "/auth/register", { email, password })
      assert.strictEqual(registered.status, 200)
      const loggedIn = yield* send({}, "POST", "/auth/login", { email, password })
      assert.strictEqual(loggedIn.status, 200)
      const who = { authorization: `Bearer ${loggedIn.headers.get("set-auth-token")}` }
      assert.include(JSON.stringify((yield* send(who, "GET", "/auth/me")).json), email)
      assert.strictEqual((yield* send({}, "GET", "/auth/me")).status, 401)
      assert.strictEqual((yield* send(who, "POST", "/auth/logout", {})).status, 200)
      assert.strictEqual((yield* send(who, "GET", "/auth/me")).status, 401)
      assert.strictEqual((yield* send({}, "POST", "/auth/login", { email, password: "not this one" })).status, 401)
    })
  )

  test.effect("accounts that the original stored log in unchanged", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* AccountsStage
      const email = uniqueEmail()
      yield* storeAsOriginal(sql, email)
      const answer = yield* send({}, "POST", "/api/auth/sign-in/email", { email, password })
      assert.strictEqual(answer.status, 200)
      const who = { authorization: `Bearer ${answer.headers.get("set-auth-token")}` }
      assert.strictEqual((yield* send(who, "GET", "/tasks")).status, 200)
    })
  )

  test.effect("accepts a cookie from pages of trusted origins only, and hides it from scripts", () =>
    Effect.gen(function* () {
      const { send, url } = yield* AccountsStage
      const email = uniqueEmail()
      yield* send({ origin: url }, "POST", "/api/auth/sign-up/email", { email, password, name: "Bob" })
      const signedIn = yield* send({ origin: url }, "POST", "/api/auth/sign-in/email", { email, password })
      const lines = signedIn.headers.getSetCookie()
      assert.isNotEmpty(lines)
      for (const line of lines) {
        assert.match(line, /HttpOnly/i)
        assert.match(line, /SameSite=Lax/i)
      }
      const cookie = cookieOf(signedIn.headers)
      const create = (headers: Readonly<Record<string, string>>) =>
        Effect.map(send({ cookie, ...headers }, "POST", "/tasks", { description: "by cookie" }), ({ status }) => status)
      assert.strictEqual(yield* create({ origin: url }), 201)
      assert.strictEqual(yield* create({ origin: "https://ui.example.org" }), 201)
      assert.strictEqual(yield* create({ referer: `${url}/page` }), 201)
      assert.strictEqual(yield* create({ origin: "https://evil.example" }), 403)
      assert.strictEqual(yield* create({ origin: "null" }), 403)
      assert.strictEqual(yield* create({}), 403)
      assert.strictEqual((yield* send({ cookie }, "GET", "/tasks")).status, 200)
      assert.strictEqual((yield* send({ cookie, origin: "https://evil.example" }, "GET", "/tasks")).status, 403)
      // A token in a header is never sent by a page on its own; a wrong one does not fall back to the cookie.
      assert.strictEqual((yield* send({ cookie, authorization: "Bearer no" }, "GET", "/tasks")).status, 401)
    })
  )

  test.effect("lets a program without Origin and cookie sign in, and refuses a page of another site", () =>
    Effect.gen(function* () {
      const { send } = yield* AccountsStage
      const email = uniqueEmail()
      assert.strictEqual(
        (yield* send({}, "POST", "/api/auth/sign-up/email", { email, password, name: "x" })).status,
        200
      )
      const signIn = (headers: Readonly<Record<string, string>>, path = "/api/auth/sign-in/email") =>
        Effect.map(send(headers, "POST", path, { email, password }), ({ status }) => status)
      // Node's fetch adds `sec-fetch-mode: cors`, as `send` does.
      assert.strictEqual(yield* signIn({}), 200)
      assert.strictEqual(yield* signIn({}, "/auth/login"), 200)
      assert.strictEqual(yield* signIn({ origin: "https://ui.example.org" }), 200)
      assert.strictEqual(yield* signIn({ origin: "https://evil.example" }), 403)
      assert.strictEqual(yield* signIn({ referer: "https://evil.example/page" }), 403)
      assert.strictEqual(yield* signIn({ "sec-fetch-site": "cross-site" }), 403)
      assert.strictEqual(yield* signIn({ cookie: "a=b" }), 403)
    })
  )

  test.effect("sign-up gives the same answer for new and for known addresses", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* AccountsStage
      const email = uniqueEmail()
      for (const path of ["/api/auth/sign-up/email", "/auth/register"]) {
        const signUp = (body: Readonly<Record<string, string>>) =>
          Effect.map(send({}, "POST", path, { name: "Ada", ...body }), ({ headers, json, status }) => ({
            status,
            headers: [...headers.keys()],
            shape: JSON.stringify(json).replaceAll(/[0-9a-f-]{36}|\d{4}-[^"]+Z/g, "·")
          }))
        const fresh = yield* signUp({ email: path === "/auth/register" ? uniqueEmail() : email, password })
        const known = yield* signUp({ email, password: "another password" })
        assert.strictEqual(fresh.status, 200)
        assert.deepStrictEqual(known, fresh)
      }
      assert.strictEqual((yield* send({}, "POST", "/auth/login", { email, password })).status, 200)
      assert.strictEqual((yield* send({}, "POST", "/auth/login", { email, password: "another password" })).status, 401)
      assert.strictEqual((yield* sql`SELECT 1 FROM "User" WHERE "email" = ${email}`).length, 1)
    })
  )

  test.effect("answers invalid input with a 4xx", () =>
    Effect.gen(function* () {
      const { send, url } = yield* AccountsStage
      const bodies: ReadonlyArray<Schema.Json> = [
        {},
        [],
        null,
        "text",
        { email: 1, password: 2 },
        { email: "a\u0000@b.org", password: "long enough", name: "x" },
        { email: "no address", password: "long enough", name: "x" },
        { email: uniqueEmail(), password: "short", name: "x" },
        { email: uniqueEmail(), password: "p".repeat(200), name: "x" },
        { email: uniqueEmail(), password, name: "\u0000" }
      ]
      for (const path of ["/api/auth/sign-up/email", "/api/auth/sign-in/email", "/auth/register", "/auth/login"]) {
        for (const body of bodies) {
          const { status } = yield* send({}, "POST", path, body)
          assert.isTrue(status >= 400 && status < 500, `${path} ${JSON.stringify(body)}: ${status}`)
        }
        const malformed = yield* Effect.promise(() =>
          fetch(`${url}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: "{" })
        )
        assert.strictEqual(malformed.status, 400)
        const huge = yield* send({}, "POST", path, { email: "x".repeat(100_000) })
        assert.strictEqual(huge.status, 413)
      }
      assert.strictEqual((yield* send({}, "GET", "/api/auth/nothing")).status, 404)
    })
  )
})

layer(AccountsStage.layer({ BYTEBOT_SIGN_UP: "false", BETTER_AUTH_URL: "https://agent.example.org" }), {
  timeout: "60 seconds",
  excludeTestServices: true
})("accounts behind TLS, made by hand", (test) => {
  test.effect("BYTEBOT_SIGN_UP=false refuses new accounts; an https BETTER_AUTH_URL makes the cookie secure", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* AccountsStage
      const email = uniqueEmail()
      const answer = yield* send({}, "POST", "/api/auth/sign-up/email", { email, password, name: "x" })
      assert.strictEqual(answer.status, 400)
      assert.deepStrictEqual(yield* sql`SELECT 1 FROM "User"`, [])
      yield* storeAsOriginal(sql, email)
      const loggedIn = yield* send({}, "POST", "/api/auth/sign-in/email", { email, password })
      assert.strictEqual(loggedIn.status, 200)
      for (const line of loggedIn.headers.getSetCookie()) assert.match(line, /Secure/)
    })
  )
})

describe("Better Auth's log", () => {
  it.live("Better Auth's log is part of the service's log", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const service = yield* spawnService(port, {
        DATABASE_URL: yield* migrated,
        LOG_FORMAT: "json",
        AUTH_ENABLED: "true",
        BETTER_AUTH_SECRET: "planted-secret-of-the-tests-0123456789abcdef",
        BETTER_AUTH_URL: `http://127.0.0.1:${port}`
      })
      yield* untilReady(service)
      const post = (path: string, headers: Readonly<Record<string, string>>, body: Schema.Json) =>
        Effect.promise(() =>
          fetch(`${service.url}/api/auth${path}`, {
            method: "POST",
            headers: { "content-type": "application/json", ...headers },
            body: JSON.stringify(body)
          }).then((answer) => answer.text())
        )
      const email = uniqueEmail()
      yield* post("/sign-in/email", { origin: "https://evil.example" }, { email, password })
      yield* post("/sign-in/email", {}, { email, password })
      yield* post("/sign-in/email", {}, { email: "no address" })
      yield* post("/sign-in/email", {}, { email, password, callbackURL: "https://evil.example" })
      yield* post("/sign-in/social", {}, { provider: "github" })
      yield* post("/sign-up/email", {}, { email, password, name: "x", role: "admin" })
      yield* post("/reset-password", {}, { token: "x", newPassword: password })
      yield* until(
        "each request is logged",
        Effect.sync(() => (service.output().split('"Request"').length > 7 ? true : undefined))
      )
      const lines = service.output().split("\n").slice(0, -1)
      assert.isNotEmpty(lines.filter((line) => line.includes("evil.example")))
      for (const line of lines) assert.isTrue(Option.isSome(decodeLine(line)), line)
    }).pipe(Effect.scoped)
  )
})

describe("accounts that are off", () => {
  it.live("AUTH_ENABLED=false has no login and no account routes", () =>
    Effect.gen(function* () {
      const { url } = yield* startService({})
      const status = (path: string, method = "GET") =>
        Effect.promise(() => fetch(`${url}${path}`, { method }).then((response) => response.status))
      assert.strictEqual(yield* status("/tasks"), 200)
      assert.strictEqual(yield* status("/api/auth/get-session"), 404)
      assert.strictEqual(yield* status("/auth/me"), 404)
      assert.strictEqual(yield* status("/api-keys"), 404)
    }).pipe(Effect.scoped)
  )
})

layer(AccountsStage.layer({ BYTEBOT_LOGIN_LIMIT: "3" }), { timeout: "60 seconds", excludeTestServices: true })(
  "guessing",
  (test) => {
    test.effect("too many wrong passwords are refused for a while", () =>
      Effect.gen(function* () {
        const { send } = yield* AccountsStage
        const email = uniqueEmail()
        const attempt = send({ "x-bytebot-client-address": email }, "POST", "/auth/login", { email, password })
        let answer = yield* attempt
        for (let tries = 1; tries < 2000 && answer.status === 401; tries++) answer = yield* attempt
        assert.strictEqual(answer.status, 429)
        assert.isAbove(Number(answer.headers.get("retry-after")), 0)
      })
    )
  }
)
