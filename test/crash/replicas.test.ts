import { assert, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { providers } from "../support/ModelProviders.ts"
import * as TestRedis from "../support/TestRedis.ts"
import type { Disturbance, Kind } from "./Disturbances.ts"
import { makeScene } from "./Scene.ts"
import { faultsOf } from "./verdict.ts"

/** How many disturbances are tried; CRASH_SEEDS says how many, CRASH_SEED with which to begin. */
const count = Number(process.env.CRASH_SEEDS ?? 10)
const first = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 1_000_000))
const seeds = Array.from({ length: count }, (_, index) => first + index)

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
  `${kind} ${when} step ${step} (${name}), ${returnsSoon ? "back soon" : "back late"}; again: CRASH_SEED=${seed} CRASH_SEEDS=1 npm run test:crash`

/** Fewer beside other tests. */
const sideBySide = process.env.CRASH_SEEDS === undefined ? 3 : 8

/** A seed belongs to one of them. Some have their events by way of Redis. */
const scenes = [2, 3].flatMap((size) =>
  providers.map((provider, index) => ({
    size,
    provider,
    variables: index % 2 === 1 && TestRedis.isWanted ? { REDIS_URL: TestRedis.url } : {}
  }))
)

it.live(
  "replicas go on where one of them was disturbed: nothing is done twice, nothing asked twice, nothing lost",
  () =>
    Effect.gen(function* () {
      const faults = yield* Effect.forEach(
        scenes,
        Effect.fnUntraced(function* (scene, index) {
          const own = seeds.filter((seed) => seed % scenes.length === index)
          if (own.length === 0) return []
          const { play } = yield* makeScene(scene)
          const undisturbed = yield* play(undefined)
          const found = [...faultsOf(undisturbed, undisturbed)]
          for (const seed of own) {
            const plan = disturbanceOf(seed, undisturbed.steps.length)
            const place = `${scene.size} replicas, ${scene.provider.name}: ${shown(seed, plan, undisturbed.steps[plan.step])}`
            const result = yield* Effect.exit(play(plan))
            // After a play without an end nobody knows what the next one would begin with.
            if (result._tag === "Failure") return [...found, `${place}: ${Cause.pretty(result.cause)}`]
            found.push(...faultsOf(result.value, undisturbed).map((fault) => `${place}: ${fault}`))
          }
          return found
        }),
        { concurrency: sideBySide }
      )
      assert.deepStrictEqual(faults.flat(), [])
    }).pipe(Effect.scoped),
  3_600_000
)
