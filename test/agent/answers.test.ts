import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { parseToolUse } from "../../src/agent/Tools.ts"
import { storableJson } from "../../src/database/StorableJson.ts"
import { text } from "../../src/domain/ContentBlock.ts"
import { boundedReply } from "../../src/models/Answers.ts"
import * as Anthropic from "../../src/models/AnthropicReply.ts"
import * as Google from "../../src/models/GoogleReply.ts"
import type { ModelReply } from "../../src/models/LanguageModel.ts"
import * as OpenAI from "../../src/models/OpenAIReply.ts"
import * as Proxy from "../../src/models/ProxyReply.ts"
import { hostileTexts, pathsIn, textWith } from "./HostileValues.ts"
import { answers } from "./ProviderAnswers.ts"

/** Whatever a provider answers is an error in words, or a reply that can be stored. */

const decoders = { anthropic: Anthropic.toReply, openai: OpenAI.toReply, google: Google.toReply, proxy: Proxy.toReply }
const names = ["anthropic", "openai", "google", "proxy"] as const

const isStorableCount = (count: number): boolean => Number.isInteger(count) && count >= 0 && count < 2 ** 31

const problemsOf = ({ content, usage }: ModelReply): ReadonlyArray<string> => {
  const calls = content.filter((block) => block.type === "tool_use")
  for (const call of calls) parseToolUse(call)
  const rules = {
    "usage is no integer of PostgreSQL": [usage.input, usage.output, usage.cacheRead, usage.cacheWrite].every(
      isStorableCount
    ),
    "more tokens are cached than there are": usage.cacheRead + usage.cacheWrite <= usage.input,
    "too many blocks": content.length <= 500 && calls.length <= 100,
    "ids are not unique": new Set(calls.map(({ id }) => id)).size === calls.length,
    "a call lacks its id or name": calls.every(({ id, name }) => id !== "" && name !== "" && name.length <= 128),
    "a text is too long": content.every((block) => block.type !== "text" || block.text.length <= 2 ** 20),
    "PostgreSQL refuses a character": storableJson(content) === JSON.stringify(content),
    "a block is not a model's": content.every(({ type }) =>
      ["text", "tool_use", "thinking", "redacted_thinking"].includes(type)
    )
  }
  return Object.entries(rules).flatMap(([problem, holds]) => (holds ? [] : [problem]))
}

const replyTo = (name: (typeof names)[number], answer: unknown) =>
  Result.map(Effect.runSync(Effect.result(decoders[name](answer))), boundedReply)

for (const name of names) {
  describe(`an answer of ${name}`, () => {
    it("that is as it should be is understood", () => {
      const reply = Result.getOrThrow(replyTo(name, answers[name]))
      assert.deepStrictEqual(problemsOf(reply), [])
      assert.deepStrictEqual(
        reply.content.flatMap((block) => (block.type === "tool_use" ? [[block.name, block.input]] : [])),
        [
          ["computer_screenshot", {}],
          ["computer_wait", { duration: 1 }]
        ]
      )
      assert.deepInclude(reply.usage, { cacheRead: 3 })
    })

    for (const [what, text] of Object.entries(hostileTexts)) {
      it(`with ${what} in any place gives a storable reply, or an error in words`, () => {
        for (const path of pathsIn(answers[name])) {
          const result = replyTo(name, JSON.parse(textWith(answers[name], path, text)))
          if (Result.isFailure(result)) assert.isAbove(result.failure.message.length, 0)
          else assert.deepStrictEqual(problemsOf(result.success), [], path.join("."))
        }
      })
    }

    it(`with hostile statistics is understood all the same`, () => {
      for (const path of pathsIn(answers[name]).filter(([first]) => String(first).startsWith("usage"))) {
        for (const text of Object.values(hostileTexts)) {
          assert.isTrue(
            Result.isSuccess(replyTo(name, JSON.parse(textWith(answers[name], path, text)))),
            path.join(".")
          )
        }
      }
    })

    it.prop(
      "with any JSON in any place gives a storable reply, or an error in words",
      [Schema.Json, Schema.Int],
      ([json, at]) => {
        const paths = pathsIn(answers[name])
        const path = paths[Math.abs(at) % paths.length] ?? []
        const result = replyTo(name, JSON.parse(textWith(answers[name], path, JSON.stringify(json))))
        if (Result.isSuccess(result)) assert.deepStrictEqual(problemsOf(result.success), [])
      }
    )
  })
}

describe("a reply", () => {
  const reply = (content: ReplyContent): ModelReply => ({
    content,
    usage: { input: 1, output: 1, cacheRead: 0, cacheWrite: 0 }
  })
  const call = (id: string, input: Schema.Json = {}) =>
    ({ id, name: "computer_screenshot", type: "tool_use", input }) as const

  it("with equal ids, or none, has an id of its own for each call", () => {
    const { content } = boundedReply(reply([call("a"), call("a"), call("")]))
    const ids = content.flatMap((block) => (block.type === "tool_use" ? [block.id] : []))
    assert.deepStrictEqual([ids[0], new Set(ids).size], ["a", 3])
  })

  it("keeps long ids as they are: a gateway may carry a signature in them", () => {
    const id = `call_1__thought__${"s".repeat(5_000)}`
    assert.deepStrictEqual(boundedReply(reply([call(id)])).content, [call(id)])
  })

  it("with more than 100 calls keeps the first 100", () => {
    const calls = Array.from({ length: 5_000 }, (_, index) => call(`${index}`))
    assert.deepStrictEqual(boundedReply(reply(calls)).content, calls.slice(0, 100))
  })

  it("has 16 MB of JSON at most: what comes after that is left out", () => {
    const texts = Array.from({ length: 30 }, () => text("x".repeat(1_000_000)))
    assert.deepStrictEqual(boundedReply(reply(texts)).content, texts.slice(0, 16))
  })

  it("with arguments that are JSON in JSON, or fenced, has the object; what is no JSON stays text", () => {
    const given = ['"{\\"x\\":1}"', '```json\n{"x":1}\n```', '{"x":1}', "{x", ""]
    const inputs = boundedReply(reply(given.map((text, index) => call(`${index}`, text)))).content
    assert.deepStrictEqual(
      inputs.map((block) => (block.type === "tool_use" ? block.input : undefined)),
      [{ x: 1 }, { x: 1 }, { x: 1 }, "{x", {}]
    )
  })
})

type ReplyContent = ModelReply["content"]
