/** What differs between Gemini's models, and how they are listed. */

/** Gemini 3 and later, and the names that mean the newest. */
export const isModern = (model: string): boolean => !/^(gemini-[12]\b|gemma)/.test(model)

/** A model of GET /v1beta/models. */
export const modelInfo = (id: string) => ({
  name: `models/${id}`,
  version: "001",
  displayName: id,
  description: `The model ${id}`,
  inputTokenLimit: 1_048_576,
  outputTokenLimit: 65_536,
  supportedGenerationMethods: id.includes("embedding")
    ? ["embedContent"]
    : ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"],
  temperature: 1,
  topP: 0.95,
  topK: 64,
  maxTemperature: 2,
  thinking: true
})

export const listed: ReadonlyArray<string> = [
  "gemini-4-argon",
  "gemini-3.8-flash",
  "gemini-3.1-flash-image",
  "gemini-2.5-pro",
  "gemma-4-31b-it",
  "gemini-embedding-2"
]
