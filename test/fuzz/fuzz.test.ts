import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Result, Schema } from "effect"
import { until } from "../support/Waiting.ts"
import { exchange, problemOf } from "./Exchange.ts"
import { request } from "./Requests.ts"
import { converse, type Session, session } from "./Sessions.ts"
import { startTarget } from "./Target.ts"
import { oneOf } from "./Values.ts"

/** More for a longer search: FUZZ_CASES=1000000. */
const cases = Number(process.env.FUZZ_CASES || 10_000)

/** FUZZ_SEED repeats a run. */
const seed = process.env.FUZZ_SEED || String(Date.now())

/** Bytes of live objects that the last quarter of the cases may leave behind beyond what the first one did. */
const growth = 48 * 1024 * 1024

type Input = Result.Result<string, Session>

const requests = Arbitrary.map(request, (bytes): Input => Result.succeed(bytes))
const sessions = Arbitrary.map(session, (conversation): Input => Result.fail(conversation))
const anything = oneOf(requests, requests, requests, requests, requests, requests, sessions)

const isExpected = Schema.is(Schema.Literals([200, 201, 204, 304, 400, 404, 413, 415, 417, 426, 431]))

describe("Whatever is sent", () => {
  it.live(
    `is taken or refused, and leaves no trace (FUZZ_SEED=${seed})`,
    () =>
      Effect.gen(function* () {
        const target = yield* startTarget()
        const seen = new Map<number, number>()
        let problem: string | undefined
        const take = (input: Input) =>
          Result.isFailure(input)
            ? Effect.map(converse(target.url, input.failure), (ended) =>
                ended ? undefined : "the conversation does not end"
              )
            : Effect.map(exchange(target.url, input.success), (answer) => {
                for (const { status } of answer.answers) seen.set(status, (seen.get(status) ?? 0) + 1)
                return problemOf(answer, input.success)
              })
        const heaps: Array<number> = []
        for (const quarter of [1, 2, 3, 4]) {
          const result = yield* Arbitrary.checkEffect(
            anything,
            (input) =>
              Effect.map(take(input), (found) => {
                const now = target.hasEnded() ? "the service has ended" : found
                problem = now ?? problem
                return now === undefined
              }),
            { runs: Math.ceil(cases / 4), seed: `${seed}-${quarter}`, size: 30, concurrency: 4, maxShrinks: 60 }
          )
          const failure = Arbitrary.formatCheckFailure(result)
          assert.isUndefined(failure, `${problem}\n${failure?.slice(0, 2_000)}\n${target.output().slice(-2_000)}`)
          heaps.push(yield* target.heap)
        }
        // Nothing was unexpected to the service itself, and the cases got as far as routes and rows.
        const complaints = target.output().match(/^.*("level":"(ERROR|FATAL)"|Unhandled|Warning:).*$/gm) ?? []
        assert.deepStrictEqual(complaints.slice(0, 5), [], `FUZZ_SEED=${seed}`)
        const statuses = [...seen.keys()]
        assert.deepStrictEqual(
          statuses.filter((status) => !isExpected(status)),
          []
        )
        assert.includeMembers(statuses, [200, 201, 400, 404, 415])
        const [first = 0] = heaps
        // What ended just now (timers, sockets) is still remembered for a while.
        yield* until(
          `a heap as after the first quarter: ${heaps.join()}`,
          Effect.map(target.heap, (bytes) => (bytes < first + growth ? bytes : undefined)),
          "60 seconds"
        )
        yield* Effect.logInfo(`${cases} cases; answers ${JSON.stringify([...seen])}; heap ${heaps.join()}`)
      }),
    300_000 + cases * 50
  )
})
