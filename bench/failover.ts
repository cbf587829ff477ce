import { NodeRuntime } from "@effect/platform-node"
import { Effect, Redacted, Schema } from "effect"
import * as EmbeddedPostgres from "../src/database/EmbeddedPostgres.ts"
import * as Anthropic from "../test/emulators/anthropic.ts"
import * as Desktop from "../test/emulators/desktop.ts"
import { makeReplica, type Replica } from "../test/support/Replicas.ts"
import { decodeTask, request } from "../test/support/RestClient.ts"
import { until } from "../test/support/Waiting.ts"
import { say } from "./report.ts"
import { folder } from "./serviceProcess.ts"

/**
 * How long a task stands still when the replica that runs it goes: from the signal until another replica asks the model for the
 * next step. Three replicas, one desktop, a model that answers at once.
 */

const rounds = 5

const disturbances = {
  "kill -9": (replica: Replica) => replica.process().signal("SIGKILL"),
  "graceful stop (SIGTERM)": (replica: Replica) => replica.process().signal("SIGTERM"),
  "frozen (SIGSTOP)": (replica: Replica) => replica.process().signal("SIGSTOP"),
  "cut off from PostgreSQL": (replica: Replica) => replica.network.freeze()
}

const keyOf = (index: number) => `replica-${index}`

const decodeOwners = Schema.decodeUnknownSync(Schema.Tuple([Schema.Struct({ owner: Schema.NullOr(Schema.String) })]))

const program = Effect.gen(function* () {
  const dataDir = yield* folder
  const { url: databaseUrl } = yield* EmbeddedPostgres.make({ dataDir, database: "bytebot" })
  let step = 0
  const model = yield* Anthropic.scoped({
    defaultReply: () => ({
      content: [{ type: "tool_use", name: "computer_move_mouse", input: { coordinates: { x: ++step % 1000, y: 1 } } }]
    })
  })
  const desktop = yield* Desktop.scoped()
  const replicas = yield* Effect.forEach([0, 1, 2], (index) =>
    makeReplica({
      databaseUrl: Redacted.value(databaseUrl),
      decide: () => "pass",
      isOneOfMany: true,
      variables: {
        ANTHROPIC_API_KEY: keyOf(index),
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: desktop.url,
        BYTEBOT_SETTLE_DELAY: "50",
        BYTEBOT_MAX_ITERATIONS: "100000"
      }
    })
  )
  yield* Effect.forEach(replicas, ({ start }) => start)
  const [first] = replicas
  if (first === undefined) return
  const { json } = yield* request(first.url, "POST", "/tasks", { description: "go on and on" })
  const { id } = decodeTask(json)

  const nextCallOf = (isMeant: (key: string | null) => boolean, after: number) =>
    Effect.promise(() =>
      model.waitFor((requests) => requests.slice(after).find(({ apiKey }) => isMeant(apiKey)), 60_000)
    )
  const measure = Effect.fnUntraced(function* (disturb: (replica: Replica) => void) {
    yield* nextCallOf(() => true, model.requests.length)
    const desktops = yield* request(first.url, "GET", "/desktops")
    const [{ owner }] = decodeOwners(desktops.json)
    const index = replicas.findIndex(({ name }) => name === owner)
    const replica = replicas[index]
    if (replica === undefined) return yield* Effect.die(new Error(`nobody is ${owner}`))
    const calls = model.requests.length
    const begun = performance.now()
    disturb(replica)
    yield* nextCallOf((key) => key !== keyOf(index), calls)
    const took = performance.now() - begun
    replica.process().signal("SIGCONT")
    replica.network.thaw()
    replica.process().signal("SIGTERM")
    yield* replica.process().ended
    yield* replica.start
    return took
  })
  for (const [name, disturb] of Object.entries(disturbances)) {
    const times = yield* Effect.forEach(Array.from({ length: rounds }), () => measure(disturb))
    const sorted = times.sort((a, b) => a - b).map((ms) => (ms / 1000).toFixed(2))
    yield* say(`${name}: median ${sorted[Math.floor(rounds / 2)]} s, slowest ${sorted.at(-1)} s`)
  }
  yield* request(first.url, "POST", `/tasks/${id}/cancel`)
  yield* until(
    "the task is cancelled",
    Effect.map(request(first.url, "GET", `/tasks/${id}`), (answer) =>
      decodeTask(answer.json).status === "CANCELLED" ? true : undefined
    )
  )
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
