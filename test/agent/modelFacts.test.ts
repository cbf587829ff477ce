import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type Answers, endpoint } from "../support/Endpoint.ts"
import { request } from "../support/RestClient.ts"
import { startService } from "../support/TestService.ts"

/** What endpoints say of their models, as their documentation shows it, becomes windows and prices. */

const list = (...data: ReadonlyArray<unknown>) => ({ object: "list", data })

interface Case {
  readonly path: string
  readonly answers: Answers
  readonly model: string
  readonly window: number
}

const cases: Readonly<Record<string, Case>> = {
  // docs.vllm.ai, openai_compatible_server: the model card's max_model_len.
  vLLM: {
    path: "/v1",
    answers: { "GET /v1/models": list({ id: "qwen3-vl", object: "model", owned_by: "vllm", max_model_len: 65_536 }) },
    model: "qwen3-vl",
    window: 65_536
  },
  // openrouter.ai/docs/api-reference/list-available-models
  OpenRouter: {
    path: "/api/v1",
    answers: {
      "GET /api/v1/models": list(
        {
          id: "qwen/qwen3-vl",
          name: "Qwen: Qwen3 VL",
          context_length: 262_144,
          architecture: { input_modalities: ["text", "image"] },
          supported_parameters: ["tools", "reasoning"],
          pricing: { prompt: "0.0000002", completion: "0.0000008", input_cache_read: "0.00000002" }
        },
        { id: "text/only", name: "Text", context_length: 8192, architecture: { input_modalities: ["text"] } }
      )
    },
    model: "qwen/qwen3-vl",
    window: 262_144
  },
  // docs.ollama.com/api: /api/ps has the window of a loaded model.
  Ollama: {
    path: "/v1",
    answers: {
      "GET /v1/models": list({ id: "qwen3-vl:8b", object: "model", owned_by: "library" }),
      "GET /api/ps": { models: [{ name: "qwen3-vl:8b", model: "qwen3-vl:8b", context_length: 4096 }] },
      "POST /api/show": { model_info: { "qwen3vl.context_length": 262_144 }, capabilities: ["vision", "tools"] }
    },
    model: "qwen3-vl:8b",
    window: 4096
  },
  // docs.ollama.com/api: /api/show has that of the model file.
  "Ollama, not loaded": {
    path: "",
    answers: {
      "GET /v1/models": list({ id: "qwen3-vl:8b", object: "model", owned_by: "library" }),
      "GET /api/ps": { models: [] },
      "POST /api/show": {
        parameters: "num_ctx                        32768\ntemperature                    1",
        model_info: { "qwen3vl.context_length": 262_144 }
      }
    },
    model: "qwen3-vl:8b",
    window: 32_768
  },
  // lmstudio.ai/docs/developer/rest
  "LM Studio": {
    path: "/v1",
    answers: {
      "GET /v1/models": list({ id: "qwen3-vl", object: "model", owned_by: "organization_owner" }),
      "GET /api/v0/models": list({
        id: "qwen3-vl",
        type: "vlm",
        state: "loaded",
        max_context_length: 262_144,
        loaded_context_length: 48_000
      })
    },
    model: "qwen3-vl",
    window: 48_000
  },
  // github.com/ggml-org/llama.cpp, tools/server/README.md
  "llama.cpp": {
    path: "/v1",
    answers: { "GET /v1/models": list({ id: "m.gguf", object: "model", meta: { n_ctx_train: 131_072 } }) },
    model: "m.gguf",
    window: 131_072
  }
}

const decodeModels = Schema.decodeUnknownSync(
  Schema.Array(
    Schema.Struct({
      provider: Schema.String,
      name: Schema.String,
      title: Schema.String,
      contextWindow: Schema.Finite
    })
  )
)

describe("the models of an endpoint", () => {
  it.live.each(Object.entries(cases))("have the window that %s says", ([, { answers, model, path, window }]) =>
    Effect.gen(function* () {
      const url = yield* endpoint(answers)
      const service = yield* startService({ BYTEBOT_LLM_PROXY_URL: `${url}${path}` })
      const { json } = yield* request(service.url, "GET", "/tasks/models")
      const models = decodeModels(json)
      assert.deepStrictEqual(
        models.map(({ contextWindow, name }) => [name, contextWindow]),
        [[model, window]]
      )
      assert.hasAllKeys(Array.isArray(json) ? json[0] : {}, ["provider", "name", "title", "contextWindow"])
    }).pipe(Effect.scoped)
  )
})

const budget = { BYTEBOT_TASK_COST_BUDGET: "5" }
const create = (url: string, provider: string, name: string) =>
  request(url, "POST", "/tasks", { description: "dear", model: { provider, name } })

describe("with a cost budget a new task", () => {
  it.live("is refused with what to set where the price of its model is not known", () =>
    Effect.gen(function* () {
      const url = yield* endpoint({ "GET /v1/models": list({ id: "local" }) })
      const service = yield* startService({ ...budget, BYTEBOT_LLM_PROXY_URL: `${url}/v1` })
      const { json, status } = yield* create(service.url, "proxy", "local")
      assert.strictEqual(status, 400)
      const words = JSON.stringify(json)
      assert.include(words, "the prices of proxy/local are not known")
      assert.include(words, "BYTEBOT_MODEL_PRICES")
      assert.include(words, "BYTEBOT_TASK_COST_BUDGET")
    }).pipe(Effect.scoped)
  )

  it.live("is taken where the settings, the endpoint or the published table have the price", () =>
    Effect.gen(function* () {
      const url = yield* endpoint(cases.OpenRouter?.answers ?? {})
      const prices = '{"proxy/local":{"input":0,"output":0},"claude-x":{"input":1,"output":2,"cacheRead":0.1}}'
      const service = yield* startService({
        ...budget,
        BYTEBOT_MODEL_PRICES: prices,
        BYTEBOT_LLM_PROXY_URL: `${url}/api/v1`
      })
      const statusOf = (provider: string, name: string) =>
        Effect.map(create(service.url, provider, name), ({ status }) => status)
      assert.strictEqual(yield* statusOf("proxy", "local"), 201)
      assert.strictEqual(yield* statusOf("anthropic", "claude-x"), 201)
      assert.strictEqual(yield* statusOf("anthropic", "claude-opus-5-5"), 201)
      assert.strictEqual(yield* statusOf("openai", "gpt-6-astra"), 201)
      assert.strictEqual(yield* statusOf("google", "gemini-3.5-flash-lite"), 201)
      assert.strictEqual(yield* statusOf("proxy", "qwen/qwen3-vl"), 201)
      assert.strictEqual(yield* statusOf("proxy", "qwen/other"), 400)
    }).pipe(Effect.scoped)
  )

  it.live("is taken where LiteLLM tells the price, while its list claims what the original's does", () =>
    Effect.gen(function* () {
      const info = { max_input_tokens: 64_000, input_cost_per_token: 1e-6, output_cost_per_token: 5e-6 }
      const entry = { model_name: "mine", litellm_params: { model: "hosted_vllm/mine" }, model_info: info }
      const url = yield* endpoint({ "GET /model/info": { data: [entry] } })
      const service = yield* startService({ ...budget, BYTEBOT_LLM_PROXY_URL: url })
      assert.strictEqual((yield* create(service.url, "proxy", "hosted_vllm/mine")).status, 201)
      const { json } = yield* request(service.url, "GET", "/tasks/models")
      assert.deepStrictEqual(
        decodeModels(json).map(({ contextWindow }) => contextWindow),
        [128_000]
      )
    }).pipe(Effect.scoped)
  )

  it.live("is refused for the sake of a fallback without a known price", () =>
    Effect.gen(function* () {
      const service = yield* startService({
        ...budget,
        ANTHROPIC_API_KEY: "any",
        BYTEBOT_MODEL_FALLBACKS: "anthropic/claude-unheard-of"
      })
      const { json, status } = yield* create(service.url, "anthropic", "claude-opus-5-5")
      assert.strictEqual(status, 400)
      assert.include(JSON.stringify(json), "anthropic/claude-unheard-of")
    }).pipe(Effect.scoped)
  )
})
