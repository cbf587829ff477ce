import { randomBytes } from "node:crypto"
import type { Part } from "@google/genai"
import type { CacheRead } from "./googleCache.ts"
import { isModern } from "./googleModels.ts"
import { statusName } from "./googleShape.ts"
import { isRecord } from "./httpServer.ts"
import type { ErrorBody, MessageReply, ReplyBlock, StopReason } from "./modelReplies.ts"

/** How a scripted reply becomes an answer of generateContent. */

const finishReasons: Readonly<Record<StopReason, string>> = {
  end_turn: "STOP",
  tool_use: "STOP",
  stop_sequence: "STOP",
  max_tokens: "MAX_TOKENS",
  refusal: "SAFETY",
  content_filter: "PROHIBITED_CONTENT"
}

/**
 * The parts of the answer. A thinking block becomes the signature of the part after it (its words are not sent, as long as nobody asks for
 * them); Gemini 3 and later sign the first call of a step whatever the script says.
 */
const partsOf = (blocks: ReadonlyArray<ReplyBlock>, model: string): ReadonlyArray<Part> => {
  const parts: Array<Part> = []
  let signature: string | undefined
  let signsCalls = isModern(model)
  const signed = (part: Part): Part => {
    const own = signature ?? (signsCalls && part.functionCall !== undefined ? newSignature() : undefined)
    if (part.functionCall !== undefined) signsCalls = false
    signature = undefined
    return own === undefined ? part : { ...part, thoughtSignature: own }
  }
  for (const block of blocks) {
    if (block.type === "thinking") signature = block.signature ?? newSignature()
    else if (block.type === "text") parts.push(signed({ text: block.text }))
    else if (block.type === "tool_use") {
      const args = isRecord(block.input) ? block.input : {}
      parts.push(
        signed({ functionCall: { ...(block.id === undefined ? {} : { id: block.id }), name: block.name, args } })
      )
    }
  }
  return signature === undefined ? parts : [...parts, signed({ text: "" })]
}

const newSignature = (): string => randomBytes(48).toString("base64")

const usageOf = ({ content, usage }: MessageReply, cached: CacheRead) => {
  const read = usage === undefined ? (cached === null ? 0 : 80) : (usage.cache_read_input_tokens ?? 0)
  const prompt = usage === undefined ? 120 : (usage.input_tokens ?? 0) + read + (usage.cache_creation_input_tokens ?? 0)
  const output = usage === undefined ? 20 : (usage.output_tokens ?? 0)
  const thoughts = content.some(({ type }) => type === "thinking") ? Math.floor(output / 2) : 0
  return {
    promptTokenCount: prompt,
    ...(read === 0 ? {} : { cachedContentTokenCount: read }),
    candidatesTokenCount: output - thoughts,
    ...(thoughts === 0 ? {} : { thoughtsTokenCount: thoughts }),
    totalTokenCount: prompt + output,
    promptTokensDetails: [{ modality: "TEXT", tokenCount: prompt }]
  }
}

export const completeAnswer = (reply: MessageReply, model: string, cached: CacheRead) => {
  const parts = ["refusal", "content_filter"].includes(reply.stop_reason ?? "") ? [] : partsOf(reply.content, model)
  return {
    parts,
    answer: {
      candidates: [
        {
          content: { ...(parts.length === 0 ? {} : { parts }), role: "model" },
          finishReason: finishReasons[reply.stop_reason ?? "end_turn"],
          index: 0
        }
      ],
      usageMetadata: usageOf(reply, cached),
      modelVersion: reply.model ?? model,
      responseId: randomBytes(12).toString("base64url")
    }
  }
}

/** google.rpc.Status in JSON; an error type of another API gives way to the status's own. */
export const errorBody = ({ details, message, type }: ErrorBody, status: number) => ({
  error: {
    code: status,
    message,
    status: /^[A-Z_]+$/.test(type) ? type : statusName(status),
    ...(details === undefined ? {} : { details })
  }
})
