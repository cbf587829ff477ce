import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import * as Anthropic from "../test/emulators/anthropic.ts"
import * as Desktop from "../test/emulators/desktop.ts"
import { decodeTask, request } from "../test/support/RestClient.ts"
import { say } from "./report.ts"
import { serviceProcess } from "./serviceProcess.ts"
import { inWords, spread } from "./statistics.ts"
import { conclude } from "./verdict.ts"

/**
 * How long after a person's command the agent has stopped: from the moment that the command is sent (so its commit is part of it) until the
 * running call of the model is broken off. And how long a new task waits for its first call of the model on an idle service.
 */

const rounds = 20

const program = Effect.gen(function* () {
  const model = yield* Anthropic.scoped({ defaultReply: { hang: true } })
  const desktop = yield* Desktop.scoped()
  const { url } = yield* serviceProcess({
    ANTHROPIC_API_KEY: "any",
    ANTHROPIC_BASE_URL: model.url,
    BYTEBOT_DESKTOP_BASE_URL: desktop.url
  })
  const begin = Effect.gen(function* () {
    const calls = model.requests.length
    const begun = performance.now()
    const { json } = yield* request(url, "POST", "/tasks", { description: "wait" })
    yield* Effect.promise(() => model.waitForRequest(calls + 1, 20_000))
    return { id: decodeTask(json).id, ms: performance.now() - begun, call: calls }
  })
  const stop = Effect.fnUntraced(function* (command: "cancel" | "takeover") {
    const { call, id, ms } = yield* begin
    const begun = performance.now()
    yield* Effect.all(
      [
        request(url, "POST", `/tasks/${id}/${command}`),
        Effect.promise(() => model.waitFor((requests) => requests[call]?.aborted, 20_000))
      ],
      { concurrency: 2 }
    )
    const stopped = performance.now() - begun
    yield* request(url, "DELETE", `/tasks/${id}`)
    return { started: ms, stopped }
  })
  yield* begin.pipe(Effect.flatMap(({ id }) => request(url, "DELETE", `/tasks/${id}`)))
  const started: Array<number> = []
  const stopped: Record<"cancel" | "takeover", Array<number>> = { cancel: [], takeover: [] }
  for (let round = 0; round < rounds; round++) {
    for (const command of ["cancel", "takeover"] as const) {
      const result = yield* stop(command)
      started.push(result.started)
      stopped[command].push(result.stopped)
    }
  }
  const [first, cancel, takeover] = [spread(started), spread(stopped.cancel), spread(stopped.takeover)]
  yield* say(`POST /tasks to the first call of the model, ms: ${inWords(first)}`)
  yield* say(`cancel to the call broken off, ms: ${inWords(cancel)}; takeover: ${inWords(takeover)}`)
  yield* conclude("control", { first, cancel, takeover }, [
    { what: "POST /tasks to the first call, ms", reached: first.median, atMost: 50 },
    { what: "cancel to the call broken off, ms", reached: cancel.median, atMost: 50 },
    { what: "takeover to the call broken off, ms", reached: takeover.median, atMost: 50 }
  ])
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
