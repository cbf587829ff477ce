import { Effect, Schema } from "effect"
import { freePort, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

/** Bytes that live objects take up in the process after a collection. */
interface Target {
  readonly url: string
  readonly heap: Effect.Effect<number>
  readonly hasEnded: () => boolean
  readonly output: () => string
}

const decodeUsage = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({ id: Schema.Int, result: Schema.Struct({ usedSize: Schema.optionalKey(Schema.Finite) }) })
  )
)

/** Asks the process's inspector to collect garbage, and what is left then. */
const heapOf = (inspector: string): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const socket = new WebSocket(inspector)
    socket.onopen = () => {
      for (const [index, method] of ["HeapProfiler.collectGarbage", "Runtime.getHeapUsage"].entries()) {
        socket.send(JSON.stringify({ id: index, method }))
      }
    }
    socket.onmessage = ({ data }) => {
      const { id, result } = decodeUsage(String(data))
      if (id !== 1) return
      socket.close()
      resume(Effect.succeed(result.usedSize ?? 0))
    }
    socket.onerror = () => resume(Effect.die(new Error("the service's inspector does not answer")))
  })

/** The service as a process, with a model and without a desktop, on a database of its own. */
export const startTarget = Effect.fn("startTarget")(function* (variables: Readonly<Record<string, string>> = {}) {
  const service = yield* spawnService(yield* freePort, {
    DATABASE_URL: yield* migrated,
    ANTHROPIC_API_KEY: "test-key",
    ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
    LOG_LEVEL: "warn",
    NODE_OPTIONS: "--inspect=127.0.0.1:0",
    ...variables
  })
  yield* untilReady(service)
  const inspector = yield* until(
    "the inspector's address",
    Effect.sync(() => /ws:\/\/\S+/.exec(service.output())?.[0])
  )
  const { hasEnded, output, url } = service
  return { url, hasEnded, output, heap: heapOf(inspector) } satisfies Target
})
