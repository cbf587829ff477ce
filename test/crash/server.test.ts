import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Server } from "../outage/OutageStage.ts"
import { providers, recordedProvider } from "../support/ModelProviders.ts"
import { makeScene } from "./Scene.ts"
import { faultsOf } from "./verdict.ts"

/** Restarts and crashes of each test, at random steps. */
const rounds = 3

layer(Server.layer, { timeout: "60 seconds", excludeTestServices: true })("PostgreSQL under two replicas", (test) => {
  test.effect(
    "is restarted, and crashes: nothing is done twice, nothing asked twice, nothing lost",
    () =>
      Effect.gen(function* () {
        const server = yield* Server
        const provider = yield* Effect.fromNullishOr(providers.find(({ name }) => name === recordedProvider))
        const { play } = yield* makeScene({ provider, size: 2, server })
        const undisturbed = yield* play(undefined)
        const found = [...faultsOf(undisturbed, undisturbed)]
        for (let round = 0; round < rounds; round++) {
          for (const kind of ["restart", "crash"] as const) {
            const step = Math.floor(Math.random() * undisturbed.steps.length)
            const when = Math.random() < 0.5 ? "before" : "after"
            const played = yield* play({ kind, step, when, returnsSoon: true })
            const place = `${kind} ${when} step ${step} (${undisturbed.steps[step]})`
            found.push(...faultsOf(played, undisturbed).map((fault) => `${place}: ${fault}`))
          }
        }
        assert.deepStrictEqual(found, [])
      }).pipe(Effect.scoped),
    300_000
  )
})
