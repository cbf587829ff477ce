/**
 * What providers say of a conversation that does not fit into the model's window, as reported in public; any of them may stand behind a
 * gateway that passes its words on.
 */
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
