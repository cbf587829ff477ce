import { randomUUID } from "node:crypto"
import { assert, layer } from "@effect/vitest"
import { Effect, type Schema } from "effect"
import { AccountsStage, createTask, people, type Who } from "./AccountsStage.ts"

/** Who may do what: every route about a task, for everybody, with a task of their own, of somebody else, and of nobody. */

interface Route {
  readonly method: string
  readonly path: (id: string) => string
  readonly body?: Schema.Json
  /** The status for whom the task is there. */
  readonly there: number
  /** The status for whom it is not, and of a task that does not exist. */
  readonly absent: number
  /** What has to be done to the task first. */
  readonly before?: "takeover"
}

const routes: ReadonlyArray<Route> = [
  { method: "GET", path: (id) => `/tasks/${id}`, there: 200, absent: 404 },
  { method: "GET", path: (id) => `/api/tasks/${id}`, there: 200, absent: 404 },
  { method: "HEAD", path: (id) => `/tasks/${id}`, there: 200, absent: 404 },
  { method: "GET", path: (id) => `/tasks/${id}/usage`, there: 200, absent: 404 },
  { method: "PATCH", path: (id) => `/tasks/${id}`, body: { priority: "LOW" }, there: 200, absent: 404 },
  { method: "GET", path: (id) => `/tasks/${id}/messages`, there: 200, absent: 200 },
  { method: "GET", path: (id) => `/tasks/${id}/messages/raw`, there: 200, absent: 200 },
  { method: "GET", path: (id) => `/tasks/${id}/messages/processed`, there: 200, absent: 200 },
  { method: "POST", path: (id) => `/tasks/${id}/messages`, body: { message: "hello" }, there: 201, absent: 404 },
  { method: "POST", path: (id) => `/tasks/${id}/takeover`, there: 200, absent: 404 },
  { method: "POST", path: (id) => `/tasks/${id}/resume`, there: 200, absent: 404, before: "takeover" },
  { method: "POST", path: (id) => `/tasks/${id}/cancel`, there: 200, absent: 404 },
  { method: "DELETE", path: (id) => `/tasks/${id}`, there: 204, absent: 404 }
]

const whose = ["owner's", "nobody's"] as const

layer(AccountsStage.layer(), { timeout: "60 seconds", excludeTestServices: true })("access", (test) => {
  test.effect(
    "a task exists for its owner and for administrators only; other callers get the answer for an unknown task",
    () =>
      Effect.gen(function* () {
        const { send, sql } = yield* AccountsStage
        const { administrator, key, otherHeader, owner, stranger } = yield* people
        const callers: ReadonlyArray<{
          readonly name: string
          readonly who: Who
          readonly sees: ReadonlyArray<string>
        }> = [
          { name: "the owner", who: owner.bearer, sees: ["owner's"] },
          { name: "the owner's machine", who: key, sees: ["owner's"] },
          { name: "the owner's machine, by x-api-key", who: otherHeader, sees: ["owner's"] },
          { name: "somebody else", who: stranger.bearer, sees: [] },
          { name: "an administrator", who: administrator.bearer, sees: ["owner's", "nobody's"] }
        ]
        const wrong: Array<string> = []
        for (const route of routes) {
          for (const ownership of whose) {
            for (const { name, sees, who } of callers) {
              const id = yield* createTask(owner.bearer)
              if (route.before !== undefined) yield* send(owner.bearer, "POST", `/tasks/${id}/${route.before}`)
              if (ownership === "nobody's") yield* sql`UPDATE "Task" SET "userId" = NULL WHERE "id" = ${id}`
              const answer = yield* send(who, route.method, route.path(id), route.body)
              const place = `${name}, ${route.method} ${route.path("ID")} of ${ownership} task`
              const expected = sees.includes(ownership) ? route.there : route.absent
              if (answer.status !== expected) wrong.push(`${place}: ${answer.status}, not ${expected}`)
              // A person who controls the desktop for one task keeps it from others.
              yield* send(administrator.bearer, "DELETE", `/tasks/${id}`)
              if (sees.includes(ownership)) continue
              const other = randomUUID()
              const none = yield* send(who, route.method, route.path(other), route.body)
              const [shown, shownAbsent] = [answer, none].map(({ json }) =>
                JSON.stringify(json).replaceAll(/[\da-f-]{36}/g, "ID")
              )
              if (shown !== shownAbsent || none.status !== answer.status)
                wrong.push(`${place}: ${shown}, not ${shownAbsent}`)
            }
          }
          for (const who of [
            {},
            { authorization: "Bearer nothing" },
            { authorization: "Basic YTpi" },
            { "x-api-key": "bytebot_no" }
          ]) {
            const { json, status } = yield* send(
              who,
              route.method,
              route.path(yield* createTask(owner.bearer)),
              route.body
            )
            if (status !== 401) wrong.push(`nobody, ${route.method} ${route.path("ID")}: ${status}`)
            if (route.method !== "HEAD") {
              assert.deepStrictEqual(json, { message: "Unauthorized", error: "Unauthorized", statusCode: 401 })
            }
          }
        }
        assert.deepStrictEqual(wrong, [])
      })
  )

  test.effect("serves only health, metrics and documents without a login", () =>
    Effect.gen(function* () {
      const { send } = yield* AccountsStage
      const open = [
        "/",
        "/health",
        "/health/detailed",
        "/health/ready",
        "/health/live",
        "/api/health",
        "/metrics",
        "/api/metrics",
        "/docs",
        "/openapi.json"
      ]
      const closed = [
        "/tasks",
        "/tasks/in-progress",
        "/tasks?q=a&after=",
        "/tasks/models",
        "/desktops",
        "/ws-stats",
        "/api-keys",
        "/api/tasks",
        "/API/Tasks/"
      ]
      for (const path of open) assert.strictEqual((yield* send({}, "GET", path)).status, 200, path)
      for (const path of closed) assert.strictEqual((yield* send({}, "GET", path)).status, 401, path)
      const refused = yield* send({}, "POST", "/tasks", { description: "not logged in" })
      assert.strictEqual(refused.status, 401)
    })
  )

  test.effect("lists show the caller's tasks, and all tasks to an administrator", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* AccountsStage
      const { administrator, owner, stranger } = yield* people
      const mine = yield* createTask(owner.bearer)
      const others = yield* createTask(stranger.bearer)
      const orphan = yield* createTask(owner.bearer)
      yield* sql`UPDATE "Task" SET "userId" = NULL WHERE "id" = ${orphan}`
      const listed = (who: Who) => Effect.map(send(who, "GET", "/tasks?limit=1000"), ({ json }) => JSON.stringify(json))
      const [forOwner, forStranger, forAdministrator] = yield* Effect.all([
        listed(owner.bearer),
        listed(stranger.bearer),
        listed(administrator.bearer)
      ])
      assert.include(forOwner, mine)
      assert.include(forOwner, `"total":1`)
      assert.notInclude(forOwner, others)
      assert.include(forStranger, others)
      assert.notInclude(forStranger, mine)
      for (const id of [mine, others, orphan]) assert.include(forAdministrator, id)
    })
  )

  test.effect("a key is shown once, listed for its user only, and refused once it is revoked", () =>
    Effect.gen(function* () {
      const { send, sql } = yield* AccountsStage
      const { administrator, key, owner, stranger } = yield* people
      const list = yield* send(owner.bearer, "GET", "/api-keys")
      const secret = key.authorization.slice("Bearer ".length)
      assert.notInclude(JSON.stringify(list.json), secret)
      assert.include(JSON.stringify(list.json), secret.slice(0, 14))
      const stored = JSON.stringify(yield* sql`SELECT * FROM "ApiKey"`)
      assert.notInclude(stored, secret)
      const id = /"id":"([^"]+)"/.exec(JSON.stringify(list.json))?.[1] ?? ""
      for (const who of [stranger.bearer, administrator.bearer]) {
        assert.deepStrictEqual((yield* send(who, "GET", "/api-keys")).json, [])
        assert.strictEqual((yield* send(who, "DELETE", `/api-keys/${id}`)).status, 404)
      }
      assert.strictEqual((yield* send(key, "POST", "/api-keys", { name: "another" })).status, 403)
      assert.strictEqual((yield* send(owner.bearer, "POST", "/api-keys", { name: "" })).status, 400)
      const past = yield* send(owner.bearer, "POST", "/api-keys", { name: "old", expiresAt: "2020-01-01T00:00:00Z" })
      const old = /bytebot_[\w-]+/.exec(JSON.stringify(past.json))?.[0] ?? ""
      assert.strictEqual((yield* send({ "x-api-key": old }, "GET", "/tasks")).status, 401)
      assert.strictEqual((yield* send(key, "GET", "/tasks")).status, 200)
      assert.strictEqual((yield* send(owner.bearer, "DELETE", `/api-keys/${id}`)).status, 204)
      assert.strictEqual((yield* send(key, "GET", "/tasks")).status, 401)
    })
  )

  test.effect(
    "a task created by an agent belongs to its parent's user; a desktop's task is shown to callers who may see it",
    () =>
      Effect.gen(function* () {
        const { send } = yield* AccountsStage
        const { administrator, owner, stranger } = yield* people
        yield* createTask(owner.bearer)
        const shown = (who: Who) => Effect.map(send(who, "GET", "/desktops"), ({ json }) => JSON.stringify(json))
        assert.include(yield* shown(stranger.bearer), `"taskId":null`)
        assert.isString(yield* shown(administrator.bearer))
      })
  )
})
