import { GoogleGenAI } from "@google/genai"
import OpenAI from "openai"
import { afterEach, describe, expect, it } from "vitest"
import { start as startGoogle } from "./google.ts"
import type { MessageReply } from "./modelReplies.ts"
import { start as startOpenAI } from "./openai.ts"
import { start as startProxy } from "./proxy.ts"

/** What the emulators stream is what the vendors' own SDKs put together again. */

const reply: MessageReply = {
  content: [
    { type: "thinking", thinking: "let me look at the screen", signature: "c2lnbmF0dXJl" },
    { type: "text", text: "I will look first, ✓ then click" },
    { type: "tool_use", id: "call_1", name: "look", input: { z: 1, a: [2, "drei"] } }
  ],
  usage: { input_tokens: 7, output_tokens: 5 }
}

const opened: Array<{ readonly close: () => Promise<void> }> = []
const open = async <Emulator extends { readonly close: () => Promise<void> }>(start: () => Promise<Emulator>) => {
  const emulator = await start()
  opened.push(emulator)
  return emulator
}
afterEach(async () => {
  for (const emulator of opened.splice(0)) await emulator.close()
})

const parameters = { type: "object", properties: {} }

describe("streams", () => {
  it("of OpenAI's Responses are put together by responses.stream", async () => {
    const emulator = await open(startOpenAI)
    emulator.enqueue(reply)
    const client = new OpenAI({ apiKey: "k", baseURL: `${emulator.url}/v1`, maxRetries: 0 })
    const deltas: Array<string> = []
    const response = await client.responses
      .stream({
        model: "gpt-6-sol",
        input: "x",
        include: ["reasoning.encrypted_content"],
        tools: [{ type: "function", name: "look", parameters, strict: false }]
      })
      .on("response.output_text.delta", ({ delta }) => deltas.push(delta))
      .finalResponse()
    expect(deltas.join("")).toBe("I will look first, ✓ then click")
    expect(response.output).toMatchObject([
      { type: "reasoning", summary: [{ text: "let me look at the screen" }], encrypted_content: "c2lnbmF0dXJl" },
      { type: "message", content: [{ text: "I will look first, ✓ then click" }] },
      { type: "function_call", call_id: "call_1", name: "look", arguments: '{"z":1,"a":[2,"drei"]}' }
    ])
    expect(response.usage).toMatchObject({ input_tokens: 7, output_tokens: 5 })
  })

  it("of Chat Completions are put together by chat.completions.stream", async () => {
    const emulator = await open(startProxy)
    emulator.enqueue(reply)
    const client = new OpenAI({ apiKey: "k", baseURL: `${emulator.url}/v1`, maxRetries: 0 })
    const completion = await client.chat.completions
      .stream({
        model: "ollama/qwen",
        messages: [{ role: "user", content: "x" }],
        tools: [{ type: "function", function: { name: "look", parameters } }],
        stream_options: { include_usage: true }
      })
      .finalChatCompletion()
    expect(completion.choices[0]?.message).toMatchObject({
      content: "I will look first, ✓ then click",
      tool_calls: [{ id: "call_1", function: { name: "look", arguments: '{"z":1,"a":[2,"drei"]}' } }]
    })
    expect(completion.usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 5 })
  })

  it("of Chat Completions have options only where they are streams", async () => {
    const emulator = await open(startProxy)
    const client = new OpenAI({ apiKey: "k", baseURL: `${emulator.url}/v1`, maxRetries: 0 })
    const body = { model: "ollama/qwen", messages: [{ role: "user", content: "x" }], stream_options: {} }
    await expect(client.post("/chat/completions", { body })).rejects.toThrow(/Stream options can only be defined/)
  })

  it("of Gemini are read by generateContentStream", async () => {
    const emulator = await open(startGoogle)
    emulator.enqueue(reply)
    const client = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: emulator.url } })
    const chunks = []
    for await (const chunk of await client.models.generateContentStream({ model: "gemini-3.8-flash", contents: "x" })) {
      chunks.push(chunk)
    }
    const parts = chunks.flatMap(({ candidates }) => candidates?.[0]?.content?.parts ?? [])
    expect(parts.map(({ text }) => text ?? "").join("")).toBe("I will look first, ✓ then click")
    expect(parts.find(({ thoughtSignature }) => thoughtSignature !== undefined)).toMatchObject({ text: "" })
    expect(parts.at(-1)?.functionCall).toMatchObject({ id: "call_1", name: "look", args: { z: 1, a: [2, "drei"] } })
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason).toBe("STOP")
    expect(chunks.at(-1)?.usageMetadata).toMatchObject({ promptTokenCount: 7 })
  })
})
