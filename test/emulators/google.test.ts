import { it as effectIt } from "@effect/vitest"
import { ApiError, FunctionCallingConfigMode, GoogleGenAI } from "@google/genai"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { caught, endsWithTest } from "./ending.ts"
import * as Google from "./google.ts"
import { firstUserText } from "./googleRequest.ts"
import type { MessageReply } from "./modelReplies.ts"

const endWithTest = endsWithTest()

const model = "gemini-3.8-flash"
const tools = [{ functionDeclarations: [{ name: "set_task_status" }, { name: "look" }] }]

const open = async (options: Google.GoogleOptions = {}) => {
  const emulator = await Google.start(options)
  endWithTest(emulator.close)
  const client = new GoogleGenAI({
    apiKey: options.apiKey ?? "key",
    httpOptions: { baseUrl: emulator.url, apiVersion: "v1beta" }
  })
  const ask = (text: string, abortSignal?: AbortSignal) =>
    client.models.generateContent({
      model,
      contents: text,
      config: { tools, ...(abortSignal === undefined ? {} : { abortSignal }) }
    })
  return { emulator, client, ask }
}

/** The error that the SDK throws, its message parsed. */
const refusal = async (promise: PromiseLike<unknown>): Promise<unknown> => {
  const error = await caught(promise)
  if (!(error instanceof ApiError)) throw error
  return JSON.parse(error.message)
}

describe("POST /v1beta/models/…:generateContent", () => {
  it("answers completed by default, in the API's full shape", async () => {
    const { emulator, ask } = await open()
    const answer = await ask("task one")
    expect(answer.functionCalls).toEqual([
      { name: "set_task_status", args: { status: "completed", description: "All done" } }
    ])
    expect(answer.candidates).toMatchObject([{ content: { role: "model" }, finishReason: "STOP", index: 0 }])
    expect(answer).toMatchObject({
      modelVersion: model,
      usageMetadata: { promptTokenCount: 120, candidatesTokenCount: 20, totalTokenCount: 140 }
    })
    expect(answer.responseId).toMatch(/^[\w-]{16}$/)
    const [request] = emulator.requests
    expect(request).toMatchObject({ url: `/v1beta/models/${model}:generateContent`, apiKey: "key", status: 200 })
    expect(request?.body.contents).toEqual([{ parts: [{ text: "task one" }], role: "user" }])
    expect(emulator.rejected).toEqual([])
  })

  it("gives scripted replies in order, by conversation first, then from the queue", async () => {
    const { emulator, ask } = await open()
    const text = (value: string): MessageReply => ({ content: [{ type: "text", text: value }] })
    emulator.enqueue(text("any 1"), (request) => text(`any 2: ${firstUserText(request)}`))
    emulator.script("two", text("two 1"))
    expect((await ask("task two")).text).toBe("two 1")
    expect((await ask("task one")).text).toBe("any 1")
    expect((await ask("task one")).text).toBe("any 2: task one")
    expect(emulator.pending()).toBe(0)
  })

  it("puts a script's blocks into parts: thoughts become signatures, calls of new models are signed", async () => {
    const { client, emulator } = await open()
    const reply: MessageReply = {
      content: [
        { type: "thinking", thinking: "hm", signature: "c2ln" },
        { type: "text", text: "so" },
        { type: "tool_use", id: "a", name: "look", input: { far: true } },
        { type: "tool_use", name: "look", input: null }
      ],
      usage: { input_tokens: 5, cache_read_input_tokens: 7, output_tokens: 9 }
    }
    emulator.enqueue(reply, reply)
    const [modern, older] = await Promise.all(
      [model, "gemini-2.5-flash"].map((name) => client.models.generateContent({ model: name, contents: "x" }))
    )
    const parts = modern?.candidates?.[0]?.content?.parts ?? []
    expect(parts).toMatchObject([
      { text: "so", thoughtSignature: "c2ln" },
      { functionCall: { id: "a", name: "look", args: { far: true } }, thoughtSignature: expect.any(String) },
      { functionCall: { name: "look", args: {} } }
    ])
    expect(parts[2]).not.toHaveProperty("thoughtSignature")
    expect(older?.candidates?.[0]?.content?.parts?.[1]).not.toHaveProperty("thoughtSignature")
    expect(modern?.usageMetadata).toMatchObject({
      promptTokenCount: 12,
      cachedContentTokenCount: 7,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 4
    })
  })

  it.each([
    ["max_tokens", "MAX_TOKENS", 1],
    ["refusal", "SAFETY", 0],
    ["content_filter", "PROHIBITED_CONTENT", 0],
    ["end_turn", "STOP", 1]
  ] as const)("ends for the reason of the script: %s", async (stop_reason, finishReason, count) => {
    const { ask, emulator } = await open()
    emulator.enqueue({ content: [{ type: "text", text: "half" }], stop_reason })
    const [candidate] = (await ask("x")).candidates ?? []
    expect(candidate?.finishReason).toBe(finishReason)
    expect(candidate?.content?.parts ?? []).toHaveLength(count)
  })

  it("answers errors in Google's shape, also where a script has them in another's", async () => {
    const { ask, emulator } = await open()
    const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "7s" }]
    emulator.enqueue(
      { status: 429, error: { type: "RESOURCE_EXHAUSTED", message: "slow down", details } },
      { status: 529, error: { type: "overloaded_error", message: "Overloaded" } }
    )
    expect(await refusal(ask("x"))).toEqual({
      error: { code: 429, message: "slow down", status: "RESOURCE_EXHAUSTED", details }
    })
    expect(await refusal(ask("x"))).toEqual({ error: { code: 529, message: "Overloaded", status: "UNAVAILABLE" } })
    expect(emulator.requests).toHaveLength(2)
  })

  it("drops the connection, and hangs until the client aborts", async () => {
    const { ask, emulator } = await open()
    emulator.enqueue({ drop: true }, { hang: true })
    expect(await caught(ask("x"))).not.toBeInstanceOf(ApiError)
    const controller = new AbortController()
    const pending = caught(ask("x", controller.signal))
    await emulator.waitForRequest(2)
    controller.abort()
    expect(await pending).toMatchObject({ name: "AbortError" })
    await emulator.waitFor(([, second]) => second?.aborted)
  })
})

describe("keys and models", () => {
  it("wants a key, and the right one", async () => {
    const { client, emulator } = await open({ apiKey: "right" })
    await client.models.generateContent({ model, contents: "x" })
    const wrong = new GoogleGenAI({ apiKey: "wrong", httpOptions: { baseUrl: emulator.url, apiVersion: "v1beta" } })
    expect(await refusal(wrong.models.generateContent({ model, contents: "x" }))).toMatchObject({
      error: { code: 400, status: "INVALID_ARGUMENT", details: [{ reason: "API_KEY_INVALID" }] }
    })
    const none = await fetch(`${emulator.url}/v1beta/models`)
    expect([none.status, await none.json()]).toMatchObject([403, { error: { status: "PERMISSION_DENIED" } }])
    const inUrl = await fetch(`${emulator.url}/v1/models?key=right`)
    expect(inUrl.status).toBe(200)
    const shown: unknown = await fetch(`${emulator.url}/__ledger`).then((response) => response.json())
    expect(JSON.stringify(shown)).not.toContain("right")
  })

  it("lists models, and knows no others where it is told which", async () => {
    const { client } = await open({ models: [model, "gemini-embedding-2"] })
    const { page } = await client.models.list()
    expect(page.map(({ name, supportedActions }) => [name, supportedActions?.[0]])).toEqual([
      [`models/${model}`, "generateContent"],
      ["models/gemini-embedding-2", "embedContent"]
    ])
    expect(await client.models.get({ model })).toMatchObject({ inputTokenLimit: 1_048_576 })
    expect(await refusal(client.models.generateContent({ model: "nope", contents: "x" }))).toMatchObject({
      error: { code: 404, status: "NOT_FOUND" }
    })
  })
})

describe("implicit caching", () => {
  it("reads what a request has in common with an earlier one, from its beginning", async () => {
    const { client, emulator } = await open()
    const call = (systemInstruction: string, name: string, ...texts: ReadonlyArray<string>) =>
      client.models.generateContent({
        model,
        contents: texts.map((text) => ({ role: "user", parts: [{ text }] })),
        config: {
          systemInstruction,
          tools: [{ functionDeclarations: [{ name }] }],
          toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } }
        }
      })
    await call("be good", "look", "a")
    const longer = await call("be good", "look", "a", "b")
    await call("be good", "look", "c")
    await call("be good", "click", "a")
    await call("be better", "look", "a")
    expect(emulator.requests.map(({ cacheRead }) => cacheRead)).toEqual([null, "contents", "tools", "system", null])
    expect(longer.usageMetadata).toMatchObject({ promptTokenCount: 120, cachedContentTokenCount: 80 })
  })
})

effectIt.effect("is closed with its scope", () =>
  Effect.gen(function* () {
    const url = yield* Effect.scoped(Effect.map(Google.scoped(), (emulator) => emulator.url))
    const closed = yield* Effect.exit(Effect.tryPromise(() => fetch(url)))
    expect(closed._tag).toBe("Failure")
  })
)
