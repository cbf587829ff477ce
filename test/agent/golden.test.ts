import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import { io } from "socket.io-client"
import { type DesktopEmulator, start as startDesktop } from "../emulators/desktop.ts"
import { goldenDesktop, goldenReplies } from "../emulators/golden.ts"
import type { ModelEmulator } from "../emulators/modelEmulator.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { watch } from "../streams/Watcher.ts"
import { type Provider, providers, recordedProvider } from "../support/ModelProviders.ts"
import { deltasIn, draftsOf } from "../support/Drafts.ts"
import { differences } from "../support/Recording.ts"
import { decodeTask, request as send } from "../support/RestClient.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/**
 * Recorded agent runs of the original, replayed through the real service (docs/contract/agent.md, golden/agent-*.json) with every provider:
 * the same answers of the model give the same rows, events and requests to the desktop.
 */

const Json = Schema.Record(Schema.String, Schema.Json)
const Recording = Schema.Struct({
  socket: Schema.Array(Schema.Struct({ event: Schema.String, args: Schema.Array(Schema.Json) })),
  desktop: Schema.Array(Schema.Struct({ req: Schema.String, body: Schema.Json })),
  analytics: Schema.Array(Schema.Struct({ body: Json })),
  db: Schema.Struct({
    tasks: Schema.Array(Json),
    messages: Schema.Array(Json),
    summaries: Schema.Array(Json)
  }),
  assistantMessages: Schema.Array(Schema.Json)
})
type Recording = typeof Recording.Type
const decodeRecording = Schema.decodeUnknownSync(Schema.fromJsonString(Recording))

const recorded = (name: string): Recording =>
  decodeRecording(readFileSync(new URL(`../fixtures/golden/agent-${name}.json`, import.meta.url), "utf8"))

type ReadFile = NonNullable<typeof goldenDesktop.readFile>

interface Stage {
  readonly url: string
  readonly sql: SqlClient.SqlClient
  readonly provider: Provider
  readonly model: ModelEmulator<unknown, unknown>
  readonly desktop: DesktopEmulator
  readonly reports: Array<unknown>
  /** The pieces of messages that a watcher of all tasks was told, by task. */
  readonly deltas: (taskId: string) => ReturnType<typeof deltasIn>
}
class World extends Context.Service<World, Stage>()("test/World") {
  static readonly layer = (provider: Provider) =>
    Layer.effect(
      World,
      Effect.gen(function* () {
        const closing = <A extends { readonly close: () => Promise<void> }>(start: () => Promise<A>) =>
          Effect.acquireRelease(Effect.promise(start), (one) => Effect.promise(() => one.close()))
        const model = yield* closing(provider.start)
        const desktop = yield* closing(() => startDesktop({ ...goldenDesktop, readFile: (path) => readAnswer(path) }))
        const reports: Array<unknown> = []
        const analytics = yield* closing(async () => {
          const server = createServer((request, response) => {
            const chunks: Array<Buffer> = []
            request.on("data", (chunk: Buffer) => chunks.push(chunk))
            request.on("end", () => {
              reports.push(JSON.parse(Buffer.concat(chunks).toString("utf8")))
              response.writeHead(500).end()
            })
          })
          await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
          return {
            port: portOf(server.address()),
            close: () => new Promise<void>((resolve) => server.close(() => resolve()))
          }
        })
        const service = yield* startService({
          ...provider.settings(model.url),
          BYTEBOT_DESKTOP_BASE_URL: desktop.url,
          BYTEBOT_ANALYTICS_ENDPOINT: `http://127.0.0.1:${analytics.port}/analytics`,
          BYTEBOT_MODEL_RETRY_FOR: "1500"
        })
        const { seen } = yield* watch(`${service.url}/events`)
        const deltas = (taskId: string) =>
          deltasIn(
            seen.map(({ data }) => data),
            taskId
          )
        return { ...service, provider, model, desktop, reports, deltas }
      })
    )
}

const refuse: ReadFile = () => ({ success: false, message: "no such file" })
let readAnswer: ReadFile = goldenDesktop.readFile ?? refuse

const portOf = (address: AddressInfo | string | null): number =>
  typeof address === "object" && address !== null ? address.port : 0

const request = (stage: Stage, method: string, path: string, body?: unknown) => send(stage.url, method, path, body)
const decodeAny = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Json))

interface Scenario {
  readonly name: string
  /** Recorded with this provider, and of use with no other. */
  readonly only?: string
  /** The model's answers; default: the recorded ones. */
  readonly replies?: (recording: Recording) => ReadonlyArray<Scripted>
  /** What the page asks for instead of what was recorded. */
  readonly deviate?: (recording: Recording) => Recording
  readonly files?: ReadonlyArray<{ name: string; base64: string; type: string; size: number }>
  readonly readFile?: typeof readAnswer
  /** What the user does until the end. */
  readonly during?: (stage: Stage, taskId: string) => Effect.Effect<void, unknown>
  readonly end: string
}

const replies = (recording: Recording): ReadonlyArray<Scripted> => goldenReplies(recording)

const withUsage = (reply: Scripted | undefined, input_tokens: number): Scripted =>
  typeof reply === "object" && "content" in reply ? { ...reply, usage: { input_tokens } } : { content: [] }

const failing = (status: number): ReadonlyArray<Scripted> =>
  Array.from({ length: 6 }, () => ({ status, error: { type: "api_error", message: `no luck: ${status}` } }))

const scenarios: ReadonlyArray<Scenario> = [
  { name: "full", end: "COMPLETED" },
  {
    name: "every-desktop-action",
    end: "COMPLETED",
    deviate: (recording) => ({
      ...recording,
      // docs/contract/agent.md, "Tool results": unknown tools are errors; the original reports success and looks at the screen.
      ...refusing(recording, ["a16", "a17"]),
      // docs/contract/desktop.md: an empty `holdKeys` is sent as absent; the original does so for some actions only.
      desktop: recording.desktop.slice(0, -2).map(({ body, req }) => ({ req, body: withoutEmptyHoldKeys(body) }))
    })
  },
  {
    name: "files",
    end: "COMPLETED",
    files: [
      { name: "a.txt", base64: "aGVsbG8=", type: "text/plain", size: 5 },
      { name: "../up.bin", base64: "AAEC", type: "x/y", size: 3 }
    ],
    deviate: (recording) => ({
      ...recording,
      // docs/contract/agent.md, 2: only the last segment of the name.
      desktop: recording.desktop.map((entry) =>
        decodeSame(JSON.stringify(entry).replace("Desktop/../up.bin", "Desktop/up.bin"))
      )
    })
  },
  {
    name: "needs-help",
    end: "COMPLETED",
    deviate: (recording) => ({
      ...recording,
      // docs/contract/agent.md, "User control": one task_updated for needs_help, where the original sends two equal ones.
      socket: recording.socket.filter(
        (event, index, all) =>
          JSON.stringify(event.args) !== JSON.stringify(all[index - 1]?.args) || !isNeedsHelp(event.args[0])
      )
    }),
    during: (stage, taskId) =>
      Effect.gen(function* () {
        yield* untilStatus(stage, taskId, "NEEDS_HELP")
        yield* Effect.promise(() => stage.desktop.waitForRequest("POST /input-tracking/start"))
        yield* request(stage, "POST", `/tasks/${taskId}/messages`, { message: "the second" })
        const resumed = yield* request(stage, "POST", `/tasks/${taskId}/resume`)
        assert.strictEqual(resumed.status, 200)
        yield* Effect.promise(() => stage.desktop.waitForRequest("POST /input-tracking/stop"))
      })
  },
  {
    name: "parallel-tools",
    end: "NEEDS_HELP",
    deviate: (recording) => ({ ...recording, socket: recording.socket.slice(0, -1) })
  },
  {
    name: "read-file-failure",
    end: "COMPLETED",
    // The daemon's own words (golden/desktop.json) begin as the result does: the original says that twice.
    readFile: () => ({ success: false, message: "Error reading file: ENOENT" })
  },
  {
    name: "summarize",
    end: "COMPLETED",
    replies: (recording) => {
      const [first, second, third, fourth] = replies(recording)
      return [
        withUsage(first, 100),
        withUsage(second, 150_000),
        { content: [{ type: "text", text: "SUMMARY line 1\nline 2" }] },
        withUsage(third, 150_000),
        { content: [{ type: "text", text: "SUMMARY 2" }] },
        withUsage(fourth, 100)
      ]
    },
    deviate: (recording) => ({
      ...recording,
      // docs/contract/agent.md, "Summaries": parentId is the previous one; the original leaves it null.
      db: {
        ...recording.db,
        summaries: recording.db.summaries.map((summary, index, all) => ({
          ...summary,
          parentId: all[index - 1]?.id ?? null
        }))
      }
    })
  },
  {
    name: "summarize-fails",
    end: "COMPLETED",
    replies: (recording) => {
      const [first, second] = replies(recording)
      return [
        withUsage(first, 160_000),
        { status: 400, error: { type: "invalid_request_error", message: "no summary" } },
        withUsage(second, 100)
      ]
    }
  },
  { name: "text-only", end: "COMPLETED" },
  { name: "model-without-name", end: "COMPLETED" },
  {
    name: "provider-openai-gpt41",
    only: "openai",
    end: "COMPLETED",
    // What there is to read of the reasoning is kept, too; the encrypted part, which this model takes none of, is not asked for.
    deviate: (recording) => ({
      ...decodeRecording(
        JSON.stringify(recording, (_, item) =>
          item?.type === "thinking"
            ? { type: "thinking", summary: "enc", thinking: "", signature: "<uuid:reasoning>" }
            : item
        )
      ),
      assistantMessages: recording.assistantMessages
    })
  },
  { name: "provider-google", only: "google", end: "COMPLETED" },
  { name: "analytics-500", end: "COMPLETED" },
  // docs/contract/agent.md, 4: the model is asked again, where the original fails the task at once.
  { name: "empty-content", end: "FAILED", replies: () => Array.from({ length: 3 }, () => ({ content: [] })) },
  { name: "unknown-provider", end: "FAILED", replies: () => [] },
  { name: "missing-provider", end: "FAILED", replies: () => [] },
  { name: "model-null", end: "FAILED", replies: () => [] },
  { name: "model-string", end: "FAILED", replies: () => [] },
  { name: "api-400", end: "FAILED", replies: () => failing(400) },
  { name: "api-429", end: "FAILED", replies: () => failing(429) },
  { name: "api-500", end: "FAILED", replies: () => failing(500) },
  { name: "api-529", end: "FAILED", replies: () => failing(529) },
  {
    name: "api-connection-drop",
    end: "FAILED",
    replies: () => Array.from({ length: 6 }, () => ({ drop: true as const }))
  },
  {
    name: "api-500-then-ok",
    end: "COMPLETED",
    replies: (recording) => [...failing(500).slice(0, 1), ...replies(recording)]
  },
  {
    name: "cancel-during-llm",
    end: "CANCELLED",
    replies: () => [{ hang: true }],
    during: (stage, taskId) =>
      Effect.gen(function* () {
        yield* Effect.promise(() => stage.model.waitForRequest(1))
        const cancelled = yield* request(stage, "POST", `/tasks/${taskId}/cancel`)
        assert.strictEqual(cancelled.status, 200)
        yield* Effect.promise(() => stage.model.waitFor((requests) => requests[0]?.aborted === true))
      })
  }
]

/** The recording with errors as the results of these tool calls. */
const refusing = (recording: Recording, ids: ReadonlyArray<string>): Recording =>
  decodeRecording(
    JSON.stringify(recording, (_, item) =>
      typeof item === "object" && item !== null && ids.includes(item.tool_use_id)
        ? { ...item, content: [{ type: "text", text: "<text>" }], is_error: true }
        : item
    )
  )

const decodeSame = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ req: Schema.String, body: Schema.Json }))
)
const withoutEmptyHoldKeys = (body: Schema.Json): Schema.Json =>
  decodeAny(JSON.stringify(body).replace(/,"holdKeys":\[\]/, ""))
const isNeedsHelp = (payload: unknown): boolean => JSON.stringify(payload)?.includes(`"status":"NEEDS_HELP"`) === true

const untilStatus = (stage: Stage, taskId: string, status: string) =>
  until(
    `task ${status}`,
    Effect.map(request(stage, "GET", `/tasks/${taskId}`), ({ json }) => {
      const now = decodeTask(json).status
      return now === status ? now : undefined
    })
  )

/** The recording as if it were of this provider's model. The ids of calls are the provider's to choose. */
const withProvider = (recording: Recording, { model, name }: Provider): Recording => {
  if (name === recordedProvider) return recording
  const { assistantMessages, ...expected } = recording
  const translated = JSON.stringify(expected, (key, item) => {
    if (typeof item === "object" && item?.provider === recordedProvider) {
      return { ...item, provider: name, ...("name" in item ? { name: model } : {}) }
    }
    if (typeof item === "object" && item?.type === "tool_use") return { ...item, id: `<uuid:call ${item.id}>` }
    return key === "tool_use_id" ? `<uuid:call ${item}>` : item
  })
  return { ...decodeRecording(`{"assistantMessages":[],${translated.slice(1)}`), assistantMessages }
}

/** Google's newer models sign their calls; the recorded one did not. What they thought is not told. */
const withoutSignatures = (value: unknown): Schema.Json =>
  decodeAny(
    JSON.stringify(value, (_, item) =>
      Array.isArray(item)
        ? item.filter((block) => block?.type !== "thinking" || block.thinking !== "" || "summary" in block)
        : item
    )
  )

/** docs/contract/agent.md, 3e and 4: where the original leaves `result` and `error` null, we put the outcome into them. */
const withOutcome = (value: Schema.Json): Schema.Json =>
  decodeAny(
    JSON.stringify(value, (_, item) => {
      if (typeof item !== "object" || item === null || !("executedAt" in item)) return item
      if (item.status === "COMPLETED") return { ...item, result: { description: "<text>" } }
      if (item.status === "FAILED") return { ...item, error: "<text>" }
      return item
    })
  )

/** Reports leave this service: text that the model marked as sensitive is not in them. */
const withoutSecrets = (value: Schema.Json): Schema.Json =>
  decodeAny(
    JSON.stringify(value, (_, item) =>
      typeof item === "object" && item !== null && item.isSensitive === true ? { ...item, text: "(sensitive)" } : item
    )
  )

/** A desktop that somebody else holds: so that a client can join a task's room before the task starts. */
const holdDesktop = (stage: Stage) =>
  Effect.gen(function* () {
    yield* stage.sql`INSERT INTO "Task" ("id", "description", "status", "control", "updatedAt", "model") VALUES ('gate', 'gate', 'NEEDS_REVIEW', 'ASSISTANT', now(), '{}')`
    yield* stage.sql`INSERT INTO "TaskRun" ("taskId", "desktop", "epoch", "active", "createdAt", "updatedAt") VALUES ('gate', ${stage.desktop.url}, 1, TRUE, now(), now())`
  })

/** Deletes what the scenario before left behind, and waits until input tracking is off. Answers the ids whose `task_deleted` may still come. */
const deleteTasks = Effect.fnUntraced(function* (stage: Stage) {
  const held = yield* stage.sql<{ id: string }>`SELECT "id" FROM "Task" WHERE "control" = 'USER'`
  for (const { id } of held) yield* request(stage, "DELETE", `/tasks/${id}`)
  yield* until(
    "tracking ends",
    Effect.sync(() => (stage.desktop.tracking() ? undefined : true))
  )
  yield* stage.sql`DELETE FROM "Task"`
  return held.map(({ id }): unknown => id)
})

const replay = (scenario: Scenario) =>
  Effect.gen(function* () {
    const stage = yield* World
    const recording = withProvider((scenario.deviate ?? ((same) => same))(recorded(scenario.name)), stage.provider)
    stage.model.reset()
    const deleted = yield* deleteTasks(stage)
    stage.desktop.reset()
    stage.reports.length = 0
    readAnswer = scenario.readFile ?? goldenDesktop.readFile ?? readAnswer
    stage.model.enqueue(...(scenario.replies ?? replies)(recording))

    const expectedTask = recording.db.tasks[0]
    yield* holdDesktop(stage)
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => io(stage.url, { transports: ["websocket"], forceNew: true })),
      (client) => Effect.sync(() => client.disconnect())
    )
    const received: Array<{ readonly event: string; readonly args: ReadonlyArray<unknown> }> = []
    socket.onAny((event: string, ...args: ReadonlyArray<unknown>) => {
      if (args[0] !== "gate" && !deleted.includes(args[0])) received.push({ event, args })
    })
    yield* until(
      "socket connects",
      Effect.sync(() => socket.connected || undefined)
    )

    const goodModel = { provider: stage.provider.name, name: stage.provider.model }
    const created = yield* request(stage, "POST", "/tasks", {
      description: expectedTask?.description,
      model: goodModel,
      ...(scenario.files === undefined ? {} : { files: scenario.files })
    })
    assert.strictEqual(created.status, 201)
    const { id } = decodeTask(created.json)
    // Some recorded models are refused by REST (docs/contract/rest.md, "Create"); older rows hold them all the same.
    yield* stage.sql`UPDATE "Task" SET "model" = ${JSON.stringify(expectedTask?.model)}::jsonb WHERE "id" = ${id}`
    yield* Effect.promise(() => socket.emitWithAck("join_task", id))
    yield* request(stage, "DELETE", "/tasks/gate")

    if (scenario.during !== undefined) yield* scenario.during(stage, id)
    yield* untilStatus(stage, id, scenario.end)
    const ids = new Map<string, string>()
    const expectedSocket = recording.socket
    yield* until(
      "all events",
      Effect.sync(() => (received.length >= expectedSocket.length ? true : undefined))
    ).pipe(Effect.ignore)
    const expectedReports = recording.analytics.length
    yield* until(
      "analytics",
      Effect.sync(() => (stage.reports.length >= expectedReports ? true : undefined))
    )

    const onDesktop = () => stage.desktop.requests.filter(({ req }) => req !== "GET /")
    yield* until(
      "the desktop's requests",
      Effect.sync(() => (onDesktop().length >= recording.desktop.length ? true : undefined))
    ).pipe(Effect.ignore)

    // The task_created event was sent before the model was set by SQL.
    const found: Array<string> = []
    found.push(
      ...differences(
        expectedSocket.slice(1).map(({ args, event }) => withOutcome({ event, args })),
        withoutSignatures(received.slice(1)),
        ids,
        "socket"
      )
    )
    const messages = yield* stage.sql`
      SELECT "id", "content", "createdAt"::text, "updatedAt"::text, "taskId", "summaryId", "role" FROM "Message" ORDER BY "position"`
    for (const task of recording.db.tasks) {
      const of = (rows: ReadonlyArray<Readonly<Record<string, unknown>>>, taskId: unknown) =>
        rows
          .filter((row) => row.taskId === taskId)
          .map(({ content, role, summaryId }) => ({ content, role, summaryId }))
      const taskId = ids.get(String(task.id))
      found.push(
        ...differences(
          of(recording.db.messages, task.id),
          withoutSignatures(of(messages, taskId)),
          ids,
          `messages of ${task.description}`
        )
      )
      const said = textsOf(messages.filter((row) => row.taskId === taskId && row.role === "ASSISTANT"))
      const drafts = yield* until(
        "what was stored was told piece by piece",
        Effect.sync(() => {
          const texts = draftsOf(stage.deltas(String(taskId))).map(({ text }) => text)
          return texts.join("").length >= said.join("").length ? texts : undefined
        })
      )
      assert.deepStrictEqual(
        drafts.filter((text) => text !== ""),
        said
      )
      const rest = yield* request(stage, "GET", `/tasks/${taskId}`)
      found.push(
        ...differences(
          withOutcome({ ...task, files: "<files>" }),
          { ...asRecord(rest.json), files: "<files>" },
          ids,
          "task"
        )
      )
    }
    const summaries = yield* stage.sql`SELECT "id", "content", "taskId", "parentId" FROM "Summary" ORDER BY "createdAt"`
    found.push(
      ...differences(
        recording.db.summaries.map(({ content, id: summaryId, parentId, taskId }) => ({
          id: summaryId,
          content,
          taskId,
          parentId
        })),
        summaries,
        ids,
        "summaries"
      )
    )
    found.push(
      ...differences(
        recording.desktop.map(({ body, req }) => ({ req, body })),
        // Whether the desktop is there may be asked at any time; the original never asks.
        onDesktop().map(({ body, req }) => ({ req, body })),
        ids,
        "desktop"
      )
    )
    found.push(
      ...differences(
        recording.analytics.map(({ body }) => withoutSecrets(withOutcome(body))),
        withoutSignatures(stage.reports),
        ids,
        "analytics"
      )
    )
    assert.deepStrictEqual(found, [])
    assert.deepStrictEqual(
      stage.model.rejected.map(({ error }) => error).filter((error) => !String(error).includes("no luck")),
      []
    )
  })

const decodeContent = Schema.decodeUnknownSync(Schema.Array(Schema.Record(Schema.String, Schema.Json)))

/** The texts of each message that has any. */
const textsOf = (rows: ReadonlyArray<Readonly<Record<string, unknown>>>): ReadonlyArray<string> =>
  rows
    .map(({ content }) =>
      decodeContent(content)
        .flatMap(({ text, type }) => (type === "text" && typeof text === "string" ? [text] : []))
        .join("")
    )
    .filter((text) => text !== "")

const asRecord = Schema.decodeUnknownSync(Json)

for (const provider of providers) {
  layer(World.layer(provider), { timeout: "60 seconds", excludeTestServices: true })(
    `recorded agent runs, ${provider.name}`,
    (test) => {
      for (const scenario of scenarios.filter(({ only }) => only === undefined || only === provider.name)) {
        test.effect(scenario.name, () => Effect.scoped(replay(scenario)), 30_000)
      }
    }
  )
}
