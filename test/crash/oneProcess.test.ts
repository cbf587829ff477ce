import { assert, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { providers } from "../support/ModelProviders.ts"
import type { Disturbance } from "./Disturbances.ts"
import { makeScene, type Scene } from "./Scene.ts"
import { faultsOf } from "./verdict.ts"

const isComplete = process.env.CRASH_ALL !== undefined

/** Every point is tried when CRASH_ALL is set, or those of a part of them: CRASH_PART=2/5. */
const [part = 1, parts = 1] = (process.env.CRASH_PART ?? "1/1").split("/").map(Number)

/** Otherwise so many points, others in every run of the tests. */
const samples = 4

/** For every provider, side by side. */
const scenes = isComplete ? 2 : 1

const choose = (points: ReadonlyArray<Disturbance>): ReadonlyArray<Disturbance> => {
  if (isComplete) return points.filter((_, index) => index % parts === part - 1)
  const stride = Math.max(1, points.length / samples)
  const first = Math.random()
  return points.filter((_, index) => Math.floor(first + index / stride) !== Math.floor(first + (index + 1) / stride))
}

it.live(
  "one process goes on where it was killed, with any provider: nothing is done twice, nothing asked twice, nothing lost",
  () =>
    Effect.gen(function* () {
      const faults = yield* Effect.forEach(
        providers,
        Effect.fnUntraced(function* (provider) {
          const stages = yield* Effect.forEach(Array.from({ length: scenes }), () => makeScene({ provider, size: 1 }), {
            concurrency: "unbounded"
          })
          const [stage] = stages
          if (stage === undefined) return []
          const undisturbed = yield* stage.play(undefined)
          const found = [...faultsOf(undisturbed, undisturbed)]
          const points = undisturbed.steps.flatMap((_, step) =>
            (["before", "after"] as const).map((when) => ({ kind: "kill" as const, step, when, returnsSoon: true }))
          )
          const chosen = choose(points)
          const rest = [...chosen]
          const work = Effect.fnUntraced(function* ({ play }: Scene) {
            for (let point = rest.shift(); point !== undefined; point = rest.shift()) {
              const place = `${provider.name}, ${point.when} step ${point.step} (${undisturbed.steps[point.step]})`
              const result = yield* Effect.exit(play(point))
              // After a play without an end nobody knows what the next one would begin with.
              if (result._tag === "Failure") return void found.push(`${place}: ${Cause.pretty(result.cause)}`)
              found.push(...faultsOf(result.value, undisturbed).map((fault) => `${place}: ${fault}`))
            }
          })
          yield* Effect.forEach(stages, work, { concurrency: "unbounded", discard: true })
          yield* Effect.logInfo(
            `${provider.name}: ${chosen.length - rest.length} of ${points.length} points were tried, ${found.length} faults were found`
          )
          return found
        }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(faults.flat(), [])
    }).pipe(Effect.scoped),
  3_600_000
)
