import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { providers } from "../support/ModelProviders.ts"
import { createTask, Stage, untilStatus } from "../support/Stage.ts"

/** BYTEBOT_MODEL_HEADERS. */

it.live.each(providers)(
  "a request to $name has the headers of the settings, and an error does not tell them",
  (provider) =>
    Effect.gen(function* () {
      const model = yield* Effect.acquireRelease(Effect.promise(provider.start), ({ close }) => Effect.promise(close))
      const secret = "a-secret-of-the-gateway"
      model.enqueue({ status: 400, error: { type: "invalid_request_error", message: `no such team: ${secret}` } })
      const stage = Stage.layer({
        ...provider.settings(model.url),
        BYTEBOT_MODEL_HEADERS: JSON.stringify({ [provider.name]: { "x-team": secret } })
      })
      yield* Effect.gen(function* () {
        const id = yield* createTask("through a gateway", { model: { provider: provider.name, name: provider.model } })
        const { error } = yield* untilStatus(id, "FAILED")
        assert.include(error ?? "", "no such team: …")
        assert.strictEqual(model.requests[0]?.headers["x-team"], secret)
      }).pipe(Effect.provide(stage))
    }).pipe(Effect.scoped)
)
