import { it as effectIt } from "@effect/vitest"
import * as Effect from "effect/Effect"
import SDK from "openai"
import { describe, expect, it } from "vitest"
import { caught, endsWithTest } from "./ending.ts"
import * as OpenAI from "./openai.ts"

const endWithTest = endsWithTest()

const model = "gpt-6.1-sol"
const tools: Array<SDK.Responses.FunctionTool> = ["computer_screenshot", "set_task_status"].map((name) => ({
  type: "function",
  name,
  parameters: { type: "object", properties: {} },
  strict: false
}))

const open = async (options: OpenAI.OpenAIOptions = {}) => {
  const emulator = await OpenAI.start(options)
  endWithTest(emulator.close)
  const client = new SDK({
    apiKey: options.apiKey ?? "key",
    baseURL: `${emulator.url}/v1`,
    maxRetries: 0,
    logLevel: "off"
  })
  const ask = (input: string, more: Partial<SDK.Responses.ResponseCreateParamsNonStreaming> = {}) =>
    client.responses.create({ model, store: false, tools, input, ...more })
  return { emulator, client, ask }
}

const encrypted = { include: ["reasoning.encrypted_content" as const], reasoning: { effort: "medium" as const } }

describe("POST /v1/responses", () => {
  it("answers completed by default, in the API's full shape", async () => {
    const { emulator, ask } = await open()
    const response = await ask("task one")
    expect(response).toMatchObject({
      object: "response",
      status: "completed",
      model,
      error: null,
      incomplete_details: null,
      store: false,
      output_text: ""
    })
    expect(response.id).toMatch(/^resp_/)
    const [call] = response.output
    expect(call).toMatchObject({ type: "function_call", name: "set_task_status", status: "completed" })
    if (call?.type !== "function_call") throw new Error("no call")
    expect([call.id?.slice(0, 3), call.call_id.slice(0, 5)]).toEqual(["fc_", "call_"])
    expect(JSON.parse(call.arguments)).toEqual({ status: "completed", description: "All done" })
    expect(response.usage).toMatchObject({ output_tokens: 20, input_tokens_details: { cached_tokens: 0 } })
    expect(response._request_id).toMatch(/^req_/)
    const [request] = emulator.requests
    expect(request).toMatchObject({ method: "POST", url: "/v1/responses", status: 200, aborted: false, apiKey: "key" })
    expect(emulator.rejected).toEqual([])
  })

  it("puts a script that any model emulator takes into OpenAI's items", async () => {
    const { emulator, ask } = await open()
    emulator.enqueue({
      content: [
        { type: "thinking", thinking: "hm", signature: "c2ln" },
        { type: "redacted_thinking", data: "eA==" },
        { type: "text", text: "I look" },
        { type: "tool_use", id: "a", name: "computer_screenshot", input: { deep: [1] } }
      ],
      usage: { input_tokens: 10, cache_read_input_tokens: 20, cache_creation_input_tokens: 30, output_tokens: 5 },
      stop_reason: "max_tokens"
    })
    const response = await ask("x", encrypted)
    expect(response).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      output_text: "I look",
      output: [
        { type: "reasoning", summary: [{ type: "summary_text", text: "hm" }], encrypted_content: "c2ln" },
        { type: "reasoning", summary: [], encrypted_content: "eA==" },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "I look" }] },
        { type: "function_call", call_id: "a", arguments: '{"deep":[1]}' }
      ],
      usage: {
        input_tokens: 60,
        input_tokens_details: { cached_tokens: 20, cache_write_tokens: 30 },
        output_tokens: 5,
        total_tokens: 65
      }
    })
  })

  it("tells refusals, and what the content filter stopped", async () => {
    const { emulator, ask } = await open()
    emulator.enqueue({ content: [{ type: "text", text: "No." }], stop_reason: "refusal" })
    emulator.enqueue({ content: [], stop_reason: "content_filter" })
    expect((await ask("x")).output).toMatchObject([{ content: [{ type: "refusal", refusal: "No." }] }])
    expect(await ask("x")).toMatchObject({ status: "incomplete", incomplete_details: { reason: "content_filter" } })
  })

  it("keeps the encrypted reasoning to itself where it was not asked for", async () => {
    const { emulator, ask } = await open()
    emulator.enqueue({ content: [{ type: "thinking", thinking: "", signature: "c2ln" }] })
    const [item] = (await ask("x")).output
    expect(item).not.toHaveProperty("encrypted_content")
  })

  it("answers errors that the SDK understands, also those scripted in Anthropic's words", async () => {
    const { emulator, ask } = await open()
    emulator.enqueue(
      { status: 429, error: { type: "rate_limit_error", message: "slow down" }, headers: { "retry-after-ms": "7" } },
      { status: 503, error: { type: "overloaded_error", message: "busy" } },
      { status: 429, error: { type: "insufficient_quota", code: "insufficient_quota", message: "no money" } }
    )
    const limited = await caught(ask("x"))
    if (!(limited instanceof SDK.RateLimitError)) throw limited
    expect(limited).toMatchObject({ status: 429, type: "requests", code: "rate_limit_exceeded" })
    expect(limited.headers.get("retry-after-ms")).toBe("7")
    expect(await caught(ask("x"))).toMatchObject({
      status: 503,
      type: "service_unavailable_error",
      code: "server_is_overloaded"
    })
    expect(await caught(ask("x"))).toMatchObject({
      status: 429,
      type: "insufficient_quota",
      code: "insufficient_quota"
    })
    expect(emulator.rejected).toEqual([])
  })

  it("drops the connection, and notices a client that goes away", async () => {
    const { emulator, client, ask } = await open()
    emulator.enqueue({ drop: true }, { hang: true })
    expect(await caught(ask("x"))).toBeInstanceOf(SDK.APIConnectionError)
    const controller = new AbortController()
    const pending = caught(client.responses.create({ model, input: "y" }, { signal: controller.signal }))
    await emulator.waitForRequest(2)
    controller.abort()
    expect(await pending).toBeInstanceOf(SDK.APIUserAbortError)
    await emulator.waitFor(([, second]) => second?.aborted)
  })

  it("finds scripts by the first user message, and reads scripts over HTTP without showing the key", async () => {
    const { emulator, ask } = await open()
    const reply = (text: string) => ({ content: [{ type: "text" as const, text }] })
    emulator.script("two", reply("for two"))
    await fetch(`${emulator.url}/__script`, { method: "POST", body: JSON.stringify([reply("for any")]) })
    expect((await ask("task one")).output_text).toBe("for any")
    const message = { role: "user" as const, content: [{ type: "input_text" as const, text: "task two" }] }
    const again = await ask("", { input: [{ role: "developer", content: "be good" }, message] })
    expect(again.output_text).toBe("for two")
    const ledger = await fetch(`${emulator.url}/__ledger`).then((response) => response.text())
    expect(ledger).toContain("task two")
    expect(ledger).not.toContain("Bearer")
  })
})

describe("prompt cache", () => {
  it("reads the longest prefix of 1024 tokens and more that an earlier request began with", async () => {
    const { emulator, client } = await open()
    const call = (key: string, long: string, ...rest: ReadonlyArray<string>) =>
      client.responses.create({
        model,
        prompt_cache_key: key,
        instructions: "be good",
        input: [long, ...rest].map((content) => ({ role: "user", content }))
      })
    const long = "word ".repeat(2000)
    const first = await call("a", long)
    await call("a", long, "and")
    await call("b", long, "and")
    await call("a", `${long}!`)
    await call("a", "short")
    const again = await call("a", "short")
    const details = first.usage?.input_tokens_details
    expect(details).toEqual({ cached_tokens: 0, cache_write_tokens: first.usage?.input_tokens })
    const cached = emulator.requests.map(({ cacheRead }) => cacheRead.cached)
    expect(cached).toEqual([0, 2432, 0, 0, 0, 0])
    expect(again.usage?.input_tokens_details).toEqual({ cached_tokens: 0, cache_write_tokens: 0 })
  })
})

describe("other endpoints", () => {
  it("lists models", async () => {
    const { emulator, client } = await open({ models: [model, "tts-1"] })
    const ids: Array<string> = []
    for await (const { id } of client.models.list()) ids.push(id)
    expect(ids).toEqual([model, "tts-1"])
    expect(await client.models.retrieve(model)).toMatchObject({ id: model, object: "model" })
    expect(await caught(client.models.retrieve("nope"))).toBeInstanceOf(SDK.NotFoundError)
    expect(emulator.requests).toEqual([])
  })

  effectIt.effect("is closed with its scope", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(Effect.map(OpenAI.scoped(), (emulator) => emulator.url))
      const closed = yield* Effect.exit(Effect.tryPromise(() => fetch(url)))
      expect(closed._tag).toBe("Failure")
    })
  )
})
