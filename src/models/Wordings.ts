import type { ModelError } from "./LanguageModel.ts"

/**
 * What providers say where no status and no code tells; reported in public. Any of them may stand behind a gateway that passes its words on.
 */

/** The conversation does not fit into the model's window. */
const wordings = [
  /prompt is too long|exceed context limit/, // Anthropic; platform documentation, "Errors"
  /context[ _]length[ _]exceeded|exceeds the context window|maximum context length/, // OpenAI, vLLM, DeepSeek, OpenRouter, Mistral
  /ContextWindowExceeded|context window exceeds/, // LiteLLM, MiniMax
  /input token count|token count.*exceeds|payload size exceeds/s, // Google; "payload" is the request's size
  /input is too long for requested model/, // Bedrock
  /reduce the length of the (messages|prompt|input)/, // Groq
  /exceeded model token limit/, // Moonshot
  /maximum prompt length is/, // xAI
  /range of input length should be/, // Qwen at DashScope
  /longer than the (maximum model length|model's context length)/, // vLLM with pictures, SGLang
  /exceed_context_size|exceeds the available context size|context size has been exceeded/, // llama.cpp
  /context the overflows|greater than the context length|loaded with context length of only/ // LM Studio
]
const tooLong = new RegExp(wordings.map(({ source }) => source).join("|"), "is")

/** Whether an error means that the conversation is too long; 413 says so whatever its words. */
export const isTooLong = (status: number, words: string): boolean =>
  status === 413 || (status !== 429 && tooLong.test(words))

/**
 * Anthropic (github.com/anthropics/anthropic-sdk-python/issues/1598, platform documentation, "Preserved thinking") and Google
 * (github.com/OpenHands/software-agent-sdk/issues/1500).
 */
const refusedReasoning =
  /invalid `?signature`? in `?thinking`?|thinking`? .*(cannot be modified|bound to a different conversation)|thinking block.*(signature|binding)|corrupted thought signature|thought signature is not valid/is

/** vLLM (--limit-mm-per-prompt, "At most 4 image(s) may be provided in one prompt."), Groq ("Too many images provided. This model supports up to 5 images"). */
const tooManyImages = /at most (\d+) images?\b|at most (\d+) image\(s\)|supports up to (\d+) images?/i

/** What a provider does not take of a request that is right otherwise: `refuses` of a `ModelError`. */
export const refusedPart = (message: string): Pick<ModelError, "refuses"> => {
  if (refusedReasoning.test(message)) return { refuses: { _tag: "Reasoning" } }
  const found = tooManyImages
    .exec(message)
    ?.slice(1)
    .find((digits) => digits !== undefined)
  return found === undefined ? {} : { refuses: { _tag: "Images", beyond: Number(found) } }
}
