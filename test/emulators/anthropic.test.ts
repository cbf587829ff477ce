import SDK from "@anthropic-ai/sdk"
import { it as effectIt } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import * as Anthropic from "./anthropic.ts"
import { firstUserText } from "./anthropicReplies.ts"
import { caught, endsWithTest } from "./ending.ts"
import { goldenReplies } from "./golden.ts"
import { maxOpen } from "./modelEmulator.ts"

const endWithTest = endsWithTest()

const model = "claude-sonnet-4-20250514"
const tools: Array<SDK.Tool> = ["computer_screenshot", "set_task_status"].map((name) => ({
  name,
  input_schema: { type: "object", properties: {} }
}))

const open = async (options: Anthropic.AnthropicOptions = {}) => {
  const emulator = await Anthropic.start(options)
  endWithTest(emulator.close)
  const client = new SDK({ apiKey: options.apiKey ?? "key", baseURL: emulator.url, maxRetries: 0, logLevel: "off" })
  const ask = (text: string, options?: SDK.RequestOptions) =>
    client.messages.create({ model, max_tokens: 100, tools, messages: [{ role: "user", content: text }] }, options)
  return { emulator, client, ask }
}

describe("POST /v1/messages", () => {
  it("answers completed by default, in the API's full shape", async () => {
    const { emulator, ask } = await open()
    const message = await ask("task one")
    expect(Object.keys(message)).toEqual([
      ...["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "container"],
      ...["diagnostics", "usage"]
    ])
    expect(message).toMatchObject({
      type: "message",
      role: "assistant",
      model,
      stop_reason: "tool_use",
      stop_sequence: null
    })
    expect(message.id).toMatch(/^msg_/)
    expect(message.content).toMatchObject([
      { type: "tool_use", name: "set_task_status", input: { status: "completed" }, caller: { type: "direct" } }
    ])
    expect(message.usage).toMatchObject({
      input_tokens: 40,
      output_tokens: 20,
      cache_creation_input_tokens: 80,
      cache_read_input_tokens: 0
    })
    expect(message._request_id).toMatch(/^req_/)
    const [request] = emulator.requests
    expect(request).toMatchObject({ method: "POST", url: "/v1/messages", status: 200, aborted: false, cacheRead: null })
    expect(request?.headers).toMatchObject({ "anthropic-version": "2026-10-21" })
    expect(request?.apiKey).toBe("key")
    expect(request?.body.messages).toEqual([{ role: "user", content: "task one" }])
    expect(emulator.rejected).toEqual([])
  })

  it("gives scripted replies in order, by conversation first, then from the queue, then the default", async () => {
    const { emulator, ask } = await open({ defaultReply: { content: [{ type: "text", text: "default" }] } })
    const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })
    emulator.enqueue(text("any 1"), (request) => text(`any 2: ${firstUserText(request)}`))
    emulator.script("two", text("two 1"), text("two 2"))
    emulator.script(/thr.e/, text("three 1"))
    expect(emulator.pending()).toBe(5)
    const said = async (question: string) => {
      const [block] = (await ask(question)).content
      return block?.type === "text" ? block.text : block?.type
    }
    expect(await said("task two")).toBe("two 1")
    expect(await said("task one")).toBe("any 1")
    expect(await said("task three")).toBe("three 1")
    expect(await said("task two")).toBe("two 2")
    expect(await said("task two")).toBe("any 2: task two")
    expect(await said("task two")).toBe("default")
    expect(emulator.pending()).toBe(0)
  })

  it("keeps what a reply sets", async () => {
    const { emulator, ask } = await open()
    emulator.enqueue({
      content: [
        { type: "thinking", thinking: "hm", signature: "c2ln" },
        { type: "redacted_thinking", data: "eA==" }
      ],
      usage: { input_tokens: 150000, output_tokens: 5 },
      stop_reason: "max_tokens",
      model: "claude-opus-5-5"
    })
    const message = await ask("x")
    expect(message).toMatchObject({
      model: "claude-opus-5-5",
      stop_reason: "max_tokens",
      content: [
        { type: "thinking", thinking: "hm", signature: "c2ln" },
        { type: "redacted_thinking", data: "eA==" }
      ],
      usage: { input_tokens: 150000, output_tokens: 5, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 }
    })
  })

  it("answers errors that the SDK understands, and is retried as the real API is", async () => {
    const { emulator, client, ask } = await open()
    emulator.enqueue({
      status: 429,
      error: { type: "rate_limit_error", message: "slow down" },
      headers: { "retry-after": "7" }
    })
    const limited = await caught(ask("x"))
    if (!(limited instanceof SDK.RateLimitError)) throw limited
    expect(limited).toMatchObject({ status: 429, type: "rate_limit_error", apiMessage: "slow down" })
    expect(limited.headers.get("retry-after")).toBe("7")

    const overloaded = { status: 529, error: { type: "overloaded_error", message: "Overloaded" } }
    emulator.enqueue({ ...overloaded, headers: { "retry-after-ms": "1" } })
    await client.messages.create(
      { model, max_tokens: 10, tools, messages: [{ role: "user", content: "y" }] },
      { maxRetries: 1 }
    )
    expect(emulator.requests.map(({ status }) => status)).toEqual([429, 529, 200])
  })

  it("drops the connection", async () => {
    const { emulator, ask } = await open()
    emulator.enqueue({ drop: true })
    expect(await caught(ask("x"))).toBeInstanceOf(SDK.APIConnectionError)
    expect(emulator.requests[0]).toMatchObject({ aborted: true, status: null })
  })

  it("hangs until the client aborts, and records that", async () => {
    const { emulator, ask } = await open()
    emulator.enqueue({ hang: true })
    const controller = new AbortController()
    const pending = caught(ask("x", { signal: controller.signal }))
    const request = await emulator.waitForRequest(1)
    expect(request).toMatchObject({ aborted: false, endedAt: null })
    expect(maxOpen(emulator.requests)).toBe(1)
    controller.abort()
    expect(await pending).toBeInstanceOf(SDK.APIUserAbortError)
    await emulator.waitFor(([first]) => first?.aborted)
    expect(request.endedAt).not.toBeNull()
  })

  it("lets a test hold the model back with a promise", async () => {
    const { emulator, ask } = await open()
    const gate = Promise.withResolvers<void>()
    emulator.enqueue(async (_request, { gone }) => {
      await gate.promise
      return { content: [{ type: "text", text: String(gone.aborted) }] }
    })
    const pending = Promise.all([ask("x"), emulator.waitForRequest(1).then(() => ask("y"))])
    await emulator.waitForRequest(2)
    gate.resolve()
    const [first] = await pending
    expect(first.content).toMatchObject([{ text: "false" }])
    expect(maxOpen(emulator.requests)).toBe(2)
  })

  it("sends raw bodies, as a broken proxy would", async () => {
    const { emulator, ask } = await open()
    emulator.enqueue({ raw: "<html>bad gateway</html>", status: 502, headers: { "content-type": "text/html" } })
    expect(await caught(ask("x"))).toMatchObject({ status: 502 })
  })
})

describe("streaming", () => {
  it("streams what messages.stream puts together again", async () => {
    const { emulator, client } = await open()
    const content = [
      { type: "thinking" as const, thinking: "let me look at the screen", signature: "c2lnbmF0dXJl" },
      { type: "text" as const, text: "I will look first, ✓ then click" },
      { type: "tool_use" as const, id: "tu1", name: "computer_click_mouse", input: { coordinates: { x: 10, y: 20 } } },
      { type: "redacted_thinking" as const, data: "eA==" }
    ]
    emulator.enqueue({ content })
    const message = await client.messages
      .stream({ model, max_tokens: 100, messages: [{ role: "user", content: "x" }] })
      .finalMessage()
    expect(message.content).toMatchObject(content)
    expect(message).toMatchObject({ stop_reason: "tool_use", usage: { input_tokens: 40, output_tokens: 20 } })
  })

  it.each([
    ["drop", "drop" as const],
    ["an error event", { type: "overloaded_error", message: "Overloaded" }]
  ])("stops in the middle: %s", async (_name, ending) => {
    const { emulator, client } = await open()
    emulator.enqueue({ content: [{ type: "text", text: "never complete" }], stopAfter: { events: 3, ending } })
    const stream = client.messages.stream({ model, max_tokens: 100, messages: [{ role: "user", content: "x" }] })
    expect(await caught(stream.finalMessage())).toBeInstanceOf(SDK.AnthropicError)
  })
})

describe("prompt cache", () => {
  it("reads the longest prefix that an earlier request stored", async () => {
    const { emulator, client } = await open()
    const mark = { cache_control: { type: "ephemeral" as const } }
    const [one, two] = tools
    const call = (system: string, ...texts: ReadonlyArray<string>) =>
      client.messages.create({
        model,
        max_tokens: 10,
        tools: one === undefined || two === undefined ? [] : [one, { ...two, ...mark }],
        system: [{ type: "text", text: system, ...mark }],
        messages: [
          {
            role: "user",
            content: texts.map((text, i) => ({ type: "text", text, ...(i === texts.length - 1 ? mark : {}) }))
          }
        ]
      })
    await call("be good", "a")
    const longer = await call("be good", "a", "b")
    await call("be good", "c")
    await call("be better", "a")
    expect(emulator.requests.map(({ cacheRead }) => cacheRead)).toEqual([null, "messages", "system", "tools"])
    expect(longer.usage).toMatchObject({ cache_read_input_tokens: 80, cache_creation_input_tokens: 0 })
  })
})

describe("other endpoints", () => {
  it("lists models and counts tokens", async () => {
    const { emulator, client } = await open({ models: [model, "claude-opus-5-5"] })
    const ids: Array<string> = []
    for await (const { id } of client.models.list()) ids.push(id)
    expect(ids).toEqual([model, "claude-opus-5-5"])
    expect(await client.models.retrieve(model)).toMatchObject({ id: model, type: "model" })
    const counted = await client.messages.countTokens({ model, messages: [{ role: "user", content: "hello" }] })
    expect(counted.input_tokens).toBeGreaterThan(0)
    expect(emulator.requests).toEqual([])
    expect(emulator.ledger.length).toBe(3)
    expect(await caught(client.models.retrieve("nope"))).toBeInstanceOf(SDK.NotFoundError)
  })

  it("is scripted and read over HTTP, without showing the key", async () => {
    const { emulator, ask } = await open()
    const post = async (body: unknown) => {
      const response = await fetch(`${emulator.url}/__script`, { method: "POST", body: JSON.stringify(body) })
      return [response.status, await response.json()]
    }
    const reply = (text: string) => ({ content: [{ type: "text", text }] })
    expect(await post([reply("a")])).toEqual([200, { pending: 1 }])
    expect(await post({ match: "two", replies: [reply("b")], default: reply("c") })).toEqual([200, { pending: 2 }])
    expect(await post([{ nonsense: true }])).toEqual([400, { error: "not a script" }])
    const texts = []
    for (const task of ["two", "one", "one"]) texts.push((await ask(task)).content[0])
    expect(texts).toMatchObject([{ text: "b" }, { text: "a" }, { text: "c" }])
    const ledger: unknown = await fetch(`${emulator.url}/__ledger`).then((response) => response.json())
    expect(ledger).toMatchObject({
      requests: [{ url: "/v1/messages", apiKey: "…" }, {}, {}],
      rejected: []
    })
    expect(JSON.stringify(ledger)).not.toContain("Bearer")
    await fetch(`${emulator.url}/__ledger`, { method: "DELETE" })
    expect([emulator.requests, emulator.ledger]).toEqual([[], []])
  })

  effectIt.effect("is closed with its scope", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(Effect.map(Anthropic.scoped(), (emulator) => emulator.url))
      const closed = yield* Effect.exit(Effect.tryPromise(() => fetch(url)))
      expect(closed._tag).toBe("Failure")
    })
  )
})

describe("recorded runs", () => {
  it("become replies, with the stop reason that fits", () => {
    const assistantMessages = [
      [{ text: "thinking out loud", type: "text" }],
      [
        { text: "look", type: "text" },
        { id: "tu1", name: "computer_screenshot", type: "tool_use", input: {} }
      ]
    ]
    expect(goldenReplies({ assistantMessages })).toEqual([
      { content: assistantMessages[0], stop_reason: "end_turn" },
      { content: assistantMessages[1], stop_reason: "tool_use" }
    ])
    expect(() => goldenReplies({})).toThrow("assistantMessages")
  })
})
