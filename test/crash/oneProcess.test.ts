import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { KillPoint } from "./KillPoints.ts"
import { Scene } from "./Scene.ts"
import { faultsOf } from "./verdict.ts"

/** Every point is tried when CRASH_ALL is set; otherwise so many of them, others in every run of the tests. */
const samples = process.env.CRASH_ALL === undefined ? 14 : Number.POSITIVE_INFINITY

const choose = (points: ReadonlyArray<KillPoint>): ReadonlyArray<KillPoint> => {
  const stride = Math.max(1, points.length / samples)
  const first = Math.random()
  return points.filter((_, index) => Math.floor(first + index / stride) !== Math.floor(first + (index + 1) / stride))
}

layer(Scene.layer, { timeout: "1 minute", excludeTestServices: true })("one process", (test) => {
  test.effect(
    "goes on where it was killed: nothing is done twice, nothing asked twice, nothing lost",
    () =>
      Effect.gen(function* () {
        const { play } = yield* Scene
        const undisturbed = yield* play(undefined)
        assert.deepStrictEqual(faultsOf(undisturbed, undisturbed), [])
        const points = undisturbed.steps.flatMap((_, step) => [
          { step, when: "before" as const },
          { step, when: "after" as const }
        ])
        const faults: Array<string> = []
        for (const point of choose(points)) {
          const played = yield* play(point)
          const place = `${point.when} step ${point.step}, ${played.steps[point.step]}`
          faults.push(...faultsOf(played, undisturbed).map((fault) => `${place}: ${fault}`))
        }
        assert.deepStrictEqual(faults, [])
      }),
    3_600_000
  )
})
