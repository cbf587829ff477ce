import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Assembly, readAnswer } from "../../src/models/AnswerStream.ts"
import { AnthropicStream } from "../../src/models/AnthropicStream.ts"
import { GoogleStream } from "../../src/models/GoogleStream.ts"
import type { Hear } from "../../src/models/LanguageModel.ts"
import { OpenAIStream } from "../../src/models/OpenAIStream.ts"
import { ProxyStream } from "../../src/models/ProxyStream.ts"
import { completeMessage, streamEvents } from "../emulators/anthropicReplies.ts"
import { frame } from "../emulators/eventStream.ts"
import type { MessageReply } from "../emulators/modelReplies.ts"
import { completeResponse } from "../emulators/openaiReplies.ts"
import * as OpenAIFrames from "../emulators/openaiStream.ts"
import { completion } from "../emulators/proxyReplies.ts"
import { rulesOf } from "../emulators/proxyServers.ts"
import * as ProxyFrames from "../emulators/proxyStream.ts"

/** A streamed answer is put together into the answer that would have come at once, byte for byte, however its bytes are cut. */

const reply: MessageReply = {
  content: [
    { type: "thinking", thinking: "I think 🙂, so I look.", signature: "c2lnbmF0dXJl" },
    { type: "text", text: 'Über allen Gipfeln: \u0000 "quoted"\r\n\r\ndata: nothing' },
    { type: "tool_use", id: "call-1", name: "computer_wait", input: { z: 1, a: [{ b: "ü" }], "10": 2, "9": 1 } },
    { type: "tool_use", id: "functions.look:0", name: "computer_screenshot", input: {} }
  ],
  usage: { input_tokens: 7, output_tokens: 9, cache_read_input_tokens: 3 }
}

const anthropic = completeMessage(reply, { model: "m", max_tokens: 1, messages: [] }, null)
const openai = completeResponse(
  reply,
  { model: "gpt-6-sol", input: "x", include: ["reasoning.encrypted_content"] },
  { input: 10, cached: 0 }
)
const chat = completion(reply, { model: "m", messages: [] }, { input: 10, cached: 0 }, rulesOf(undefined))

// Without `refusal: null`, which no chunk tells.
const chatMessage = chat.choices.map(({ message: { refusal: _, ...message }, ...choice }) => ({ ...choice, message }))

const cases: ReadonlyArray<{
  readonly name: string
  readonly text: string
  readonly assembly: (hear: Hear) => Assembly
  readonly answer: unknown
}> = [
  {
    name: "anthropic",
    text: streamEvents(anthropic)
      .map((event) => frame(event, event.type))
      .join(""),
    assembly: (hear) => new AnthropicStream(hear),
    answer: anthropic
  },
  {
    name: "openai",
    text: OpenAIFrames.streamFrames(openai).join(""),
    assembly: (hear) => new OpenAIStream(hear),
    answer: openai
  },
  {
    name: "proxy",
    text: ProxyFrames.streamFrames(chat, true).join(""),
    assembly: (hear) => new ProxyStream(hear),
    answer: { ...chat, object: "chat.completion.chunk", choices: chatMessage }
  }
]

/** The text's bytes, cut in pieces of these lengths in turn. */
const cut = (text: string, lengths: ReadonlyArray<number>): Response => {
  const bytes = new TextEncoder().encode(text)
  return new Response(
    new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const length = lengths[turn % lengths.length] ?? 1
          controller.enqueue(bytes.slice(at, at + length))
          at += length
        }
        controller.close()
      }
    })
  )
}

const read = (assembly: Assembly, response: Response) => Effect.runPromise(readAnswer("The", response, assembly))

for (const { answer, assembly, name, text } of cases) {
  describe(`a stream of ${name}`, () => {
    for (const lengths of [[1], [2, 3, 5, 7], [1000], [64, 1], [1_000_000]]) {
      it(`is the answer, in pieces of ${lengths.join(", ")} bytes`, async () => {
        const heard: Array<string> = []
        const read1 = await read(
          assembly((kind, words) => heard.push(`${kind}:${words}`)),
          cut(text, lengths)
        )
        assert.strictEqual(JSON.stringify(sorted(read1)), JSON.stringify(sorted(answer)))
        assert.strictEqual(
          heard
            .filter((one) => one.startsWith("text:"))
            .map((one) => one.slice(5))
            .join(""),
          'Über allen Gipfeln: \u0000 "quoted"\r\n\r\ndata: nothing'
        )
        assert.strictEqual(
          heard
            .filter((one) => one.startsWith("thinking:"))
            .map((one) => one.slice(9))
            .join(""),
          "I think 🙂, so I look."
        )
      })
    }

    it("that is sent at once is the same answer", async () => {
      assert.deepStrictEqual(
        await read(
          assembly(() => {}),
          cut(JSON.stringify(answer, null, 1), [50])
        ),
        answer
      )
    })

    it("that lacks its end is a failure in words, wherever it is cut", async () => {
      for (const part of [0.2, 0.5, 0.9]) {
        const result = read(
          assembly(() => {}),
          cut(text.slice(0, Math.floor(text.length * part)), [100])
        )
        await result.then(
          () => assert.fail("it was taken"),
          (error: unknown) => assert.match(String(error), /broke off/)
        )
      }
    })
  })
}

/** Keys of the answer itself in one order; those of inputs keep theirs, as texts or within one key. */
const sorted = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, inner]) => [key, key === "input" ? inner : sorted(inner)])
    : Array.isArray(value)
      ? value.map(sorted)
      : value

describe("chunks of Chat Completions", () => {
  const chunk = (delta: unknown, finish_reason: string | null = null) => ({
    choices: [{ index: 0, delta, finish_reason }]
  })
  const assembled = (chunks: ReadonlyArray<unknown>) => {
    const assembly = new ProxyStream(() => {})
    for (const one of chunks) assembly.add(one)
    return assembly.answer()
  }

  it("keep what a provider attached: reasoning, its details, and the extra content of a call", () => {
    const answer = assembled([
      chunk({ role: "assistant", content: null, reasoning_content: "I " }),
      chunk({
        reasoning_content: "look.",
        reasoning_details: [{ type: "reasoning.text", text: "I ", index: 0, format: "anthropic-claude-v1" }]
      }),
      chunk({ reasoning_details: [{ type: "reasoning.text", text: "look.", index: 0, signature: "c2ln" }] }),
      chunk({ reasoning_details: [{ type: "reasoning.encrypted", data: "b3BhcXVl", id: "rs_1", index: 1 }] }),
      chunk({
        tool_calls: [
          {
            index: 0,
            id: "function-call-1",
            type: "function",
            function: { name: "look", arguments: "" },
            extra_content: { google: { thought_signature: "U0lHMQ==" } }
          }
        ]
      }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"b":1,' } }] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '"a":2}' } }] }),
      chunk({}, "tool_calls")
    ])
    assert.deepStrictEqual(answer, {
      choices: [
        {
          index: 0,
          finish_reason: "tool_calls",
          message: {
            role: "assistant",
            content: null,
            reasoning_content: "I look.",
            reasoning_details: [
              { type: "reasoning.text", text: "I look.", index: 0, format: "anthropic-claude-v1", signature: "c2ln" },
              { type: "reasoning.encrypted", data: "b3BhcXVl", id: "rs_1", index: 1 }
            ],
            tool_calls: [
              {
                id: "function-call-1",
                type: "function",
                function: { name: "look", arguments: '{"b":1,"a":2}' },
                extra_content: { google: { thought_signature: "U0lHMQ==" } }
              }
            ]
          }
        }
      ]
    })
  })

  it("without an index are calls of their own by their ids", () => {
    const call = (id: string | undefined, text: string) =>
      chunk({ tool_calls: [{ ...(id === undefined ? {} : { id }), function: { arguments: text } }] })
    const answer = assembled([call("a", "{"), call(undefined, "}"), call("b", "{}"), chunk({}, "tool_calls")])
    assert.include(
      JSON.stringify(answer),
      '[{"id":"a","function":{"arguments":"{}"}},{"id":"b","function":{"arguments":"{}"}}]'
    )
  })

  it("of an error end the answer with it", () => {
    const assembly = new ProxyStream(() => {})
    assert.isFalse(assembly.add(chunk({ content: "half" })))
    assert.isTrue(assembly.add({ error: { code: 502, message: "Upstream error" }, choices: [] }))
    assert.deepStrictEqual(assembly.answer(), { error: { code: 502, message: "Upstream error" } })
  })
})

describe("chunks of Gemini", () => {
  const chunk = (parts: ReadonlyArray<unknown>, more: Readonly<Record<string, unknown>> = {}) => ({
    candidates: [{ content: { role: "model", parts }, index: 0, ...more }],
    usageMetadata: { promptTokenCount: 5 }
  })

  it("are one text with its signature, which may come with an empty text", () => {
    const stream = new GoogleStream(() => {})
    stream.add(chunk([{ text: "I ", thought: true }]))
    stream.add(chunk([{ text: "think.", thought: true }]))
    stream.add(chunk([{ text: "Hel" }]))
    stream.add(chunk([{ text: "lo" }]))
    stream.add(chunk([{ text: "", thoughtSignature: "U0lH" }]))
    assert.isUndefined(stream.answer())
    stream.add(chunk([{ functionCall: { name: "look", args: { b: 1, a: 2 } }, thoughtSignature: "U0lHMg==" }]))
    stream.add({ candidates: [{ finishReason: "STOP", index: 0 }], usageMetadata: { candidatesTokenCount: 3 } })
    assert.deepStrictEqual(stream.answer(), {
      usageMetadata: { candidatesTokenCount: 3 },
      candidates: [
        {
          index: 0,
          finishReason: "STOP",
          content: {
            role: "model",
            parts: [
              { text: "I think.", thought: true },
              { text: "Hello", thoughtSignature: "U0lH" },
              { functionCall: { name: "look", args: { b: 1, a: 2 } }, thoughtSignature: "U0lHMg==" }
            ]
          }
        }
      ]
    })
  })
})
