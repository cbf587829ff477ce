import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import * as TestDatabase from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

const States = Schema.Array(
  Schema.Struct({
    name: Schema.String,
    url: Schema.String,
    state: Schema.String,
    taskId: Schema.NullOr(Schema.String),
    owner: Schema.NullOr(Schema.String),
    lastSeenAt: Schema.NullOr(Schema.DateTimeUtcFromString)
  })
)

const show = (url: string) =>
  Effect.flatMap(request(url, "GET", "/api/desktops"), ({ json }) => Schema.decodeUnknownEffect(States)(json))

const untilState = (url: string, name: string, state: string) =>
  until(
    `${name} ${state}`,
    Effect.map(show(url), (all) => all.find((one) => one.name === name && one.state === state))
  )

it.live(
  "GET /desktops follows a desktop through all of its states, and shows no password",
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const desktop = yield* Desktop.scoped()
      const port = desktop.port
      const answer = desktop.hold("GET /")
      const { url } = yield* startService({
        ANTHROPIC_API_KEY: "any",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: `http://me:planted@127.0.0.1:${port}`
      })
      const name = `127.0.0.1:${port}`
      const unknown = yield* untilState(url, name, "unknown")
      assert.deepStrictEqual(unknown, {
        name,
        url: `http://***@127.0.0.1:${port}`,
        state: "unknown",
        taskId: null,
        owner: null,
        lastSeenAt: null
      })
      answer()
      const idle = yield* untilState(url, name, "idle")
      assert.isNotNull(idle.owner)
      assert.isNotNull(idle.lastSeenAt)

      model.enqueue({ hang: true })
      const created = yield* request(url, "POST", "/tasks", { description: "look", desktop: name })
      const { id } = decodeTask(created.json)
      assert.strictEqual((yield* untilState(url, name, "busy")).taskId, id)
      yield* request(url, "POST", `/tasks/${id}/takeover`)
      assert.strictEqual((yield* untilState(url, name, "user")).taskId, id)
      yield* request(url, "POST", `/tasks/${id}/cancel`)
      assert.isNull((yield* untilState(url, name, "idle")).taskId)
      yield* Effect.promise(() => desktop.close())
      yield* untilState(url, name, "unreachable")
      yield* Effect.acquireRelease(
        Effect.promise(() => Desktop.start({ port })),
        (again) => Effect.promise(() => again.close())
      )
      yield* untilState(url, name, "idle")
    }).pipe(Effect.scoped),
  60_000
)

it.live(
  "a desktop that is not configured any more gets no task, though it was to be woken for one",
  () =>
    Effect.gen(function* () {
      const model = yield* Anthropic.scoped()
      const [old, present] = [yield* Desktop.scoped(), yield* Desktop.scoped()]
      const database = yield* TestDatabase.migrated
      const variables = { DATABASE_URL: database, ANTHROPIC_API_KEY: "any", ANTHROPIC_BASE_URL: model.url }
      const id = yield* Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* startService({ ...variables, BYTEBOT_DESKTOP_BASE_URL: old.url })
          const scheduledFor = new Date(Date.now() + 2000).toISOString()
          const created = yield* request(url, "POST", "/tasks", { description: "later", scheduledFor })
          return decodeTask(created.json).id
        })
      )
      old.reset()
      const { url } = yield* startService({ ...variables, BYTEBOT_DESKTOP_BASE_URL: present.url })
      yield* until(
        "completed",
        Effect.map(request(url, "GET", `/tasks/${id}`), ({ json }) =>
          decodeTask(json).status === "COMPLETED" ? true : undefined
        )
      )
      assert.lengthOf(old.requests, 0)
    }).pipe(Effect.scoped),
  60_000
)
