import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import { request } from "../support/RestClient.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** The models on offer follow what the provider lists. */

const decodeNames = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ name: Schema.String })))

const namesAt = (url: string) =>
  Effect.map(request(url, "GET", "/tasks/models"), ({ json }) => decodeNames(json).map(({ name }) => name))

it.live("models: the built-in list is answered at once, then what the provider lists", () =>
  Effect.gen(function* () {
    const model = yield* Anthropic.scoped({ models: ["claude-next", "claude-opus-5-5"] })
    const { url } = yield* startService({ ANTHROPIC_API_KEY: "any", ANTHROPIC_BASE_URL: model.url })
    // The key is tried once at the start.
    assert.isAtMost(model.ledger.length, 1)
    assert.include(yield* namesAt(url), "claude-sonnet-5-5")
    const listed = yield* until(
      "the provider's list",
      Effect.map(namesAt(url), (names) => (names.includes("claude-next") ? names : undefined))
    )
    assert.deepStrictEqual(listed, ["claude-opus-5-5", "claude-next"])
    // The list is kept: it was asked for once.
    assert.strictEqual(model.ledger.filter(({ method }) => method === "GET").length, 1)
  }).pipe(Effect.scoped)
)

it.live("models: a provider that does not answer keeps its built-in list; BYTEBOT_MODELS is final", () =>
  Effect.gen(function* () {
    const { url } = yield* startService({ ANTHROPIC_API_KEY: "any", ANTHROPIC_BASE_URL: "http://127.0.0.1:1" })
    const before = yield* namesAt(url)
    assert.deepStrictEqual(yield* namesAt(url), before)

    const model = yield* Anthropic.scoped()
    const fixed = yield* startService({
      ANTHROPIC_API_KEY: "any",
      ANTHROPIC_BASE_URL: model.url,
      BYTEBOT_MODELS: '[{"provider": "anthropic", "name": "only-this"}]'
    })
    assert.deepStrictEqual(yield* namesAt(fixed.url), ["only-this"])
    // The key is tried once at the start.
    assert.isAtMost(model.ledger.length, 1)
  }).pipe(Effect.scoped)
)
