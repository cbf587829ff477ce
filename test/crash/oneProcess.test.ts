import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { providers } from "../support/ModelProviders.ts"
import type { Disturbance } from "./Disturbances.ts"
import { makeScene } from "./Scene.ts"
import { faultsOf } from "./verdict.ts"

/** Every point is tried when CRASH_ALL is set; otherwise so many of them, others in every run of the tests. */
const samples = process.env.CRASH_ALL === undefined ? 4 : Number.POSITIVE_INFINITY

const choose = (points: ReadonlyArray<Disturbance>): ReadonlyArray<Disturbance> => {
  const stride = Math.max(1, points.length / samples)
  const first = Math.random()
  return points.filter((_, index) => Math.floor(first + index / stride) !== Math.floor(first + (index + 1) / stride))
}

it.live.each(providers)(
  "one process, with $name, goes on where it was killed: nothing is done twice, nothing asked twice, nothing lost",
  (provider) =>
    Effect.gen(function* () {
      const { play } = yield* makeScene({ provider, size: 1 })
      const undisturbed = yield* play(undefined)
      assert.deepStrictEqual(faultsOf(undisturbed, undisturbed), [])
      const points = undisturbed.steps.flatMap((_, step) =>
        (["before", "after"] as const).map((when) => ({ kind: "kill" as const, step, when, returnsSoon: true }))
      )
      const faults: Array<string> = []
      for (const point of choose(points)) {
        const played = yield* play(point)
        const place = `${point.when} step ${point.step}, ${played.steps[point.step]}`
        faults.push(...faultsOf(played, undisturbed).map((fault) => `${place}: ${fault}`))
      }
      assert.deepStrictEqual(faults, [])
    }).pipe(Effect.scoped),
  3_600_000
)
