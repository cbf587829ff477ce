import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Predicate, Schema } from "effect"
import { toolDefinitions } from "../../src/agent/Tools.ts"
import type { ModelEmulator } from "../emulators/modelEmulator.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { providers } from "../support/ModelProviders.ts"
import { request } from "../support/RestClient.ts"
import { command, createTask, messagesOf, reset, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { until } from "../support/Waiting.ts"
import { hostileTexts, pathsIn, textWith } from "./HostileValues.ts"
import { answers } from "./ProviderAnswers.ts"

/** What a model, a provider or a desktop says may end its own task, and nothing else: the next task on the desktop completes. */

const overStatuses = ["COMPLETED", "FAILED"]

const untilOver = (id: string) =>
  until(
    `${id} is over`,
    Effect.map(showTask(id), (task) => (overStatuses.includes(task.status) ? task : undefined))
  )

/** No run has died: a task whose run dies is claimed again (so is one that a person has taken over, which the tests cancel). */
const eachClaimedOnce = Effect.gen(function* () {
  const { sql } = yield* Stage
  const repeated = yield* sql`
    SELECT t."description" FROM "TaskRun" r JOIN "Task" t ON t."id" = r."taskId" 
    WHERE r."epoch" > 1 AND t."status" <> 'CANCELLED'`
  assert.deepStrictEqual(
    repeated.map(({ description }) => description),
    []
  )
})

/** The desktop is free, and the service works. */
const nextTaskCompletes = Effect.gen(function* () {
  const { model } = yield* Stage
  yield* eachClaimedOnce
  model.script("a sane task", { content: [{ type: "tool_use", name: "computer_screenshot", input: {} }] })
  yield* untilStatus(yield* createTask("a sane task"), "COMPLETED")
})

type AnyModel = ModelEmulator<unknown, unknown>
const names = ["openai", "google", "proxy"] as const

/** The emulators of the other providers, by name. */
class Others extends Context.Service<Others, ReadonlyMap<string, AnyModel>>()("test/Others") {
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const others = new Map<string, AnyModel>()
      const settings: Record<string, string> = { BYTEBOT_MODEL_RETRY_FOR: "1" }
      for (const provider of providers.filter(({ name }) => name !== "anthropic")) {
        const emulator = yield* Effect.acquireRelease(Effect.promise(provider.start), (one) =>
          Effect.promise(() => one.close())
        )
        others.set(provider.name, emulator)
        Object.assign(settings, provider.settings(emulator.url))
      }
      return Layer.merge(Layer.succeed(Others, others), Stage.layer(settings))
    })
  )
}

/** Those that say nothing about a decoder that answers.test.ts does not are left out: each is a task of its own. */
const texts = [
  "a number above 2^31",
  "minus Infinity",
  "NUL and a lone surrogate",
  "a text of 3 MB",
  "JSON 100000 levels deep"
]

const hostile = (text: string): string => hostileTexts[text] ?? ""

layer(Others.layer, { timeout: "180 seconds", excludeTestServices: true })("a provider", (test) => {
  for (const name of ["anthropic", ...names] as const) {
    test.effect(
      `${name}: hostile values in any place of an answer cost a few calls, and only their own task`,
      () =>
        Effect.gen(function* () {
          yield* reset
          const { model: anthropic } = yield* Stage
          const model: Pick<AnyModel, "enqueue" | "rejected" | "requests" | "reset"> =
            (yield* Others).get(name) ?? anthropic
          model.reset()
          const own = providers.find((one) => one.name === name)
          const answer = answers[name]
          for (const text of texts) {
            for (const path of pathsIn(answer)) {
              const where = `${text} at ${path.join(".")}`
              const before = model.requests.length
              model.enqueue({ raw: textWith(answer, path, hostile(text)) })
              const id = yield* createTask(where, { model: { provider: name, name: own?.model } })
              yield* untilOver(id)
              assert.isAtMost(model.requests.length - before, 3, where)
              const { url } = yield* Stage
              assert.strictEqual((yield* request(url, "GET", `/tasks/${id}/usage`)).status, 200)
            }
          }
          assert.deepStrictEqual(
            model.rejected.map(({ error }) => error),
            []
          )
          yield* nextTaskCompletes
        }),
      180_000
    )
  }

  test.effect("an error with a hostile time to wait, or with endless words, ends its own task", () =>
    Effect.gen(function* () {
      yield* reset
      const others = yield* Others
      const huge = "9".repeat(400)
      const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${huge}s` }]
      for (const { model: named, name } of providers) {
        const model: Pick<AnyModel, "enqueue"> = others.get(name) ?? (yield* Stage).model
        for (const wait of [huge, "1e308", "-1", "NaN", "\u00e9"]) {
          model.enqueue({
            status: 429,
            error: { type: "rate_limit_error", message: "x".repeat(100_000), details },
            headers: { "retry-after": wait, "retry-after-ms": wait }
          })
          const id = yield* createTask(`wait ${wait.slice(0, 9)}`, { model: { provider: name, name: named } })
          assert.isBelow(((yield* untilOver(id)).error ?? "").length, 1_001)
        }
      }
      yield* nextTaskCompletes
    })
  )
})

/** An input of each tool that fits, with all that it may have. */
const inputs: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  computer_move_mouse: { coordinates: { x: 1, y: 2 } },
  computer_trace_mouse: { path: [{ x: 1, y: 2 }], holdKeys: ["LeftShift"] },
  computer_click_mouse: { coordinates: { x: 1, y: 2 }, button: "left", holdKeys: ["LeftShift"], clickCount: 1 },
  computer_press_mouse: { coordinates: { x: 1, y: 2 }, button: "left", press: "up" },
  computer_drag_mouse: { path: [{ x: 1, y: 2 }], button: "left", holdKeys: ["LeftShift"] },
  computer_scroll: { coordinates: { x: 1, y: 2 }, direction: "up", scrollCount: 1, holdKeys: ["LeftShift"] },
  computer_type_keys: { keys: ["a"], delay: 1 },
  computer_press_keys: { keys: ["a"], press: "up" },
  computer_type_text: { text: "a", delay: 1, isSensitive: false },
  computer_paste_text: { text: "a", isSensitive: false },
  computer_wait: { duration: 1 },
  computer_screenshot: {},
  computer_application: { application: "firefox" },
  computer_cursor_position: {},
  set_task_status: { status: "completed", description: "done" },
  create_task: {
    description: "a child",
    type: "SCHEDULED",
    scheduledFor: "9999-12-31T23:59:59Z",
    priority: "LOW"
  },
  computer_read_file: { path: "/x" }
}

/** A message of Claude's with a call for each JSON text of an input, as one JSON text. */
const callsOf = (name: string, texts: ReadonlyArray<string>): string => {
  const calls = texts.map((text, index) => `{"type":"tool_use","id":"t${index}","name":"${name}","input":${text}}`)
  return `{"type":"message","role":"assistant","content":[${calls.join(",")}],"stop_reason":"tool_use","usage":{}}`
}

const decodeErrors = Schema.decodeUnknownSync(
  Schema.Array(
    Schema.Struct({
      is_error: Schema.optionalKey(Schema.Boolean),
      content: Schema.Array(Schema.Record(Schema.String, Schema.Json))
    })
  )
)

/** The JSON without the base64 of pictures and files, which may be large. */
const withoutData = (value: unknown): string =>
  JSON.stringify(value, (key, inner: unknown) => (key === "data" ? "" : inner))

/** The results of a task's tools. */
const resultsOf = Effect.fnUntraced(function* (id: string) {
  const messages = yield* messagesOf(id)
  return decodeErrors(messages.flatMap(({ content }) => content.filter(({ type }) => type === "tool_result")))
})

layer(Stage.layer({ BYTEBOT_MODEL_RETRY_FOR: "1" }), { timeout: "180 seconds", excludeTestServices: true })(
  "a model",
  (test) => {
    for (const { name } of toolDefinitions(["firefox"])) {
      test.effect(
        `${name} with a hostile input is an error that the model reads, or is done`,
        () =>
          Effect.gen(function* () {
            yield* reset
            const { desktop, model } = yield* Stage
            const input = inputs[name]
            for (const path of pathsIn(input)) {
              const replaced = Object.values(hostileTexts).map((text) => textWith(input, path, text))
              // A status that fits after all would end the task before the other calls are read.
              const replies = name === "set_task_status" ? replaced.map((text) => [text]) : [replaced]
              const where = `${name} at ${path.join(".")}`
              for (const calls of replies) {
                model.script(where, { raw: callsOf(name, calls) })
                const id = yield* createTask(where)
                yield* untilOver(id)
                assert.isAtLeast((yield* resultsOf(id)).length, calls.length)
                yield* eachClaimedOnce
                yield* Stage.pipe(Effect.flatMap(({ sql }) => sql`DELETE FROM "Task"`))
              }
            }
            assert.isAtMost(model.requests.length, 400)
            assert.deepStrictEqual(
              model.rejected.map(({ error }) => error),
              []
            )
            assert.deepStrictEqual(desktop.files.hazards, [])
            for (const { body } of desktop.requests) {
              assert.isBelow(JSON.stringify(body).length, 1_000_100)
              if (Predicate.isObject(body) && body.action === "wait") assert.isAtMost(Number(body.duration), 600_000)
            }
            yield* nextTaskCompletes
          }),
        180_000
      )
    }

    test.effect(
      "create_task with a date beyond the years 1 to 9999 is an error that says so; within them a task is made",
      () =>
        Effect.gen(function* () {
          yield* reset
          const { model, sql } = yield* Stage
          const far = ["+275760-09-13T00:00:00Z", "0000-12-31T23:59:59Z", "-005000-01-01T00:00:00Z", "in 10 minutes"]
          const near = ["9999-12-31T23:59:59Z", "2099-12-24T09:00:00", "0001-01-01T00:00:00Z"]
          const texts = [...far, ...near].map((scheduledFor) =>
            JSON.stringify({ description: "child", type: "SCHEDULED", scheduledFor })
          )
          model.script("parent", { raw: callsOf("create_task", texts) })
          const id = yield* createTask("parent")
          yield* untilStatus(id, "COMPLETED")
          const results = (yield* resultsOf(id)).slice(0, texts.length)
          assert.deepStrictEqual(
            results.map(({ is_error }) => is_error === true),
            [...far.map(() => true), ...near.map(() => false)]
          )
          assert.match(JSON.stringify(results[0]), /scheduledFor|years from 1 to 9999/)
          assert.strictEqual((yield* sql`SELECT 1 FROM "Task" WHERE "createdBy" = 'ASSISTANT'`).length, near.length)
          yield* nextTaskCompletes
        })
    )

    test.effect(
      "a thousand calls in one reply, with equal ids and without names, are answered, and the task goes on",
      () =>
        Effect.gen(function* () {
          yield* reset
          const { model } = yield* Stage
          const call = '{"type":"tool_use","id":"same","name":null,"input":{}}'
          model.script("many", {
            raw: `{"content":[${Array.from({ length: 1_000 }, () => call).join(",")}],"stop_reason":"tool_use"}`
          })
          const id = yield* createTask("many")
          yield* untilStatus(id, "COMPLETED")
          assert.strictEqual((yield* resultsOf(id)).length, 101)
          assert.strictEqual(model.requests.length, 2)
          yield* nextTaskCompletes
        })
    )
  }
)

const use = (name: string, input: unknown): Scripted => ({ content: [{ type: "tool_use", name, input }] })

/** What the daemon answers to each kind of request, as it should be. */
const desktopAnswers = [
  { action: "screenshot", body: { image: "iVBORw0KGgo=" }, calls: use("computer_screenshot", {}) },
  { action: "cursor_position", body: { x: 1, y: 2 }, calls: use("computer_cursor_position", {}) },
  {
    action: "read_file",
    body: { success: true, data: "aGk=", name: "a.txt", size: 2, mediaType: "text/plain" },
    calls: use("computer_read_file", { path: "/a.txt" })
  },
  {
    action: "read_file",
    body: { success: false, message: "Error reading file: no" },
    calls: use("computer_read_file", { path: "/a.txt" })
  },
  { action: "click_mouse", body: {}, calls: use("computer_click_mouse", { button: "left", clickCount: 1 }) }
]

const actions = [
  { action: "click_mouse", button: "left", coordinates: { x: 1, y: 2 }, clickCount: 1, holdKeys: ["ctrl"] },
  { action: "drag_mouse", button: "left", path: [{ x: 1, y: 2 }], holdKeys: [] },
  { action: "type_text", text: "a", sensitive: true }
]

layer(Stage.layer({ BYTEBOT_MODEL_RETRY_FOR: "1" }), { timeout: "180 seconds", excludeTestServices: true })(
  "a desktop",
  (test) => {
    for (const { action, body, calls } of desktopAnswers) {
      test.effect(
        `a hostile answer to ${action} (${Object.keys(body).join(", ")}) is a result that the model reads`,
        () =>
          Effect.gen(function* () {
            yield* reset
            const { desktop, model } = yield* Stage
            for (const status of [201, 500]) {
              for (const [what, text] of Object.entries(hostileTexts)) {
                for (const path of pathsIn(body)) {
                  const where = `${status} ${what} at ${path.join(".")}`
                  const before = model.requests.length
                  desktop.fault({ match: action, status, text: textWith(body, path, text) })
                  model.script(where, calls)
                  const id = yield* createTask(where)
                  yield* untilStatus(id, "COMPLETED")
                  assert.strictEqual(model.requests.length - before, 2, where)
                  assert.isBelow(withoutData(yield* resultsOf(id)).length, 4_000, where)
                }
              }
            }
            assert.deepStrictEqual(
              model.rejected.map(({ error }) => error),
              []
            )
            yield* nextTaskCompletes
          }),
        180_000
      )
    }

    test.effect("a hostile answer to a file being written is met by writing it again", () =>
      Effect.gen(function* () {
        yield* reset
        const { desktop } = yield* Stage
        for (const text of [
          "null",
          '{"success":5}',
          hostile("JSON 100000 levels deep"),
          `{"success":false,"message":${hostile("a text of 3 MB")}}`
        ]) {
          desktop.fault({ match: "write_file", status: 201, text })
          const id = yield* createTask("write", {
            files: [{ name: "a.txt", base64: "aGk=", type: "text/plain", size: 2 }]
          })
          yield* untilStatus(id, "COMPLETED")
        }
        yield* nextTaskCompletes
      })
    )

    test.effect(
      "hostile reports of what a person does are stored within bounds or dropped, and later ones are stored",
      () =>
        Effect.gen(function* () {
          yield* reset
          const { desktop, model } = yield* Stage
          model.enqueue({ hang: true })
          const id = yield* createTask("watched")
          yield* Effect.promise(() => model.waitForRequest(1))
          yield* command(id, "takeover")
          yield* Effect.promise(() => desktop.waitForRequest("POST /input-tracking/start"))
          yield* Effect.promise(() => desktop.waitForSocket())
          // Deeper than any action, and not deeper than Socket.IO's own parser goes.
          const texts = { ...hostileTexts, "JSON 100000 levels deep": `${"[".repeat(1_000)}${"]".repeat(1_000)}` }
          for (const text of Object.values(texts)) {
            for (const action of actions) {
              for (const path of pathsIn(action)) {
                const reported: unknown = JSON.parse(textWith(action, path, text))
                desktop.emit("action", reported)
              }
            }
            desktop.emit(
              "screenshotAndAction",
              JSON.parse(textWith({ image: "iVBORw0KGgo=" }, ["image"], text)),
              actions[0]
            )
            desktop.emit("screenshotAndAction", JSON.parse(text))
          }
          desktop.emit("action", Buffer.alloc(1_000_000), actions[2])
          desktop.emit(
            "screenshotAndAction",
            { image: "no picture" },
            { action: "click_mouse", button: "left", clickCount: 7 }
          )
          desktop.emit("action", { action: "type_text", text: "the last" })
          yield* until(
            "the last action is stored",
            Effect.map(messagesOf(id), (messages) =>
              JSON.stringify(messages).includes("the last") ? true : undefined
            ),
            "60 seconds"
          )
          for (const { content } of yield* messagesOf(id)) {
            assert.isBelow(JSON.stringify(content).length, 1024 * 1024 + 1_000)
          }
          yield* command(id, "cancel")
          model.reset()
          yield* nextTaskCompletes
        }),
      180_000
    )
  }
)
