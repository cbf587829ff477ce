import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { providers } from "../support/ModelProviders.ts"
import * as TestRedis from "../support/TestRedis.ts"
import type { Disturbance, Kind } from "./Disturbances.ts"
import { makeScene } from "./Scene.ts"
import { faultsOf } from "./verdict.ts"

/** How many disturbances are tried, in all; CRASH_SEEDS says how many, CRASH_SEED with which to begin. */
const seeds = Number(process.env.CRASH_SEEDS ?? 10)
const firstSeed = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 1_000_000))

const kinds: ReadonlyArray<Kind> = ["kill", "stop", "freeze", "cut", "disconnect"]

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
const randomOf = (seed: number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const disturbanceOf = (seed: number, steps: number): Disturbance => {
  const random = randomOf(seed)
  return {
    kind: kinds[Math.floor(random() * kinds.length)] ?? "kill",
    step: Math.floor(random() * steps),
    when: random() < 0.5 ? "before" : "after",
    returnsSoon: random() < 0.5
  }
}

const shown = (seed: number, { kind, returnsSoon, step, when }: Disturbance, name: string | undefined) =>
  `seed ${seed}: ${kind} ${when} step ${step} (${name}), ${returnsSoon ? "back soon" : "back late"}`

/** Side by side, each with its share of the seeds: one for every provider. Every other one has its events by way of Redis. */
const scenes = providers.map((provider, index) => ({
  provider,
  variables: index % 2 === 1 && TestRedis.isWanted ? { REDIS_URL: TestRedis.url } : {}
}))

describe.each([2, 3])("%i replicas", (size) => {
  it.live(
    "go on where one of them was disturbed: nothing is done twice, nothing asked twice, nothing lost",
    () =>
      Effect.gen(function* () {
        const faults = yield* Effect.forEach(
          scenes,
          Effect.fnUntraced(function* ({ provider, variables }, scene) {
            const { play } = yield* makeScene({ provider, size, variables })
            const undisturbed = yield* play(undefined)
            const found = [...faultsOf(undisturbed, undisturbed)]
            for (let index = scene; index < seeds / 2; index += scenes.length) {
              const seed = firstSeed + size * 1_000_000 + index
              const plan = disturbanceOf(seed, undisturbed.steps.length)
              const played = yield* play(plan).pipe(
                Effect.tapCause(() => Effect.logError(shown(seed, plan, undisturbed.steps[plan.step])))
              )
              const place = shown(seed, plan, played.steps[plan.step])
              found.push(...faultsOf(played, undisturbed).map((fault) => `${place}: ${fault}`))
            }
            return found
          }),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(faults.flat(), [])
      }).pipe(Effect.scoped),
    3_600_000
  )
})
