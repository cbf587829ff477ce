import type { Content, Tool, ToolConfig } from "@google/genai"
import { maxImages } from "./googleMedia.ts"
import { isModern } from "./googleModels.ts"
import { type Counted, checkContent } from "./googleParts.ts"
import { absent, at, boolean, choice, integer, invalid, list, message } from "./googleShape.ts"
import { checkToolConfig, checkTools } from "./googleTools.ts"
import { checkTurns } from "./googleTurns.ts"

/** The body of POST /v1beta/models/MODEL:generateContent, once it has passed. */
export interface GenerateContentRequest {
  readonly contents: ReadonlyArray<Content>
  readonly systemInstruction?: Content
  readonly tools?: ReadonlyArray<Tool>
  readonly toolConfig?: ToolConfig
}

const bodyFields = [
  ...["contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent"],
  ...["serviceTier", "store", "continuationToken", "model"]
]
const generationFields = [
  ...["candidateCount", "stopSequences", "maxOutputTokens", "temperature", "topP", "topK", "seed", "presencePenalty"],
  ...["frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig"],
  ...["mediaResolution", "responseModalities"]
]
const maxOutputTokens = 65_536

/** Throws the Rejection with which the API would answer this body; returns when the API would take it. */
export function checkRequest(value: unknown, model: string): asserts value is GenerateContentRequest {
  const body = message(value, "", bodyFields)
  const contents = list(body, "contents", "")
  if (contents.length === 0) throw invalid("* GenerateContentRequest.contents: contents is not specified\n")
  const counted: Counted = { images: 0 }
  checkContents(contents, counted)
  if (!absent(body.systemInstruction)) checkContent(body.systemInstruction, "system_instruction", counted)
  checkToolConfig(body, checkTools(body))
  if (!absent(body.generationConfig)) checkGeneration(body.generationConfig, model)
  if (counted.images > maxImages)
    throw invalid(`Please use fewer than ${maxImages} images in your request to models/${model}`)
  checkTurns(contents, model)
}

function checkContents(contents: ReadonlyArray<unknown>, counted: Counted): asserts contents is ReadonlyArray<Content> {
  for (const [i, content] of contents.entries()) checkContent(content, at("contents", i), counted)
}

/** ai.google.dev/gemini-api/docs/thinking: levels came with Gemini 3. The words are belief. */
const checkGeneration = (value: unknown, model: string): void => {
  const path = "generation_config"
  const config = message(value, path, generationFields)
  const most = integer(config, "maxOutputTokens", path)
  if (most !== undefined && (most < 1 || most > maxOutputTokens)) {
    throw invalid(
      `Unable to submit request because it has a maxOutputTokens value of ${most} but the supported range is from 1 ` +
        `(inclusive) to ${maxOutputTokens + 1} (exclusive). Update the value and try again.`
    )
  }
  if (absent(config.thinkingConfig)) return
  const here = at(path, "thinkingConfig")
  const thinking = message(config.thinkingConfig, here, ["includeThoughts", "thinkingBudget", "thinkingLevel"])
  boolean(thinking, "includeThoughts", here)
  const budget = integer(thinking, "thinkingBudget", here)
  const level = choice(thinking, "thinkingLevel", here, ["MINIMAL", "LOW", "MEDIUM", "HIGH"])
  if (level !== "" && !isModern(model)) throw invalid("Thinking level is not supported for this model.")
  if (budget !== undefined && level !== "")
    throw invalid("You can only set only one of thinking budget and thinking level.")
}

/** All text of the first user content. */
export const firstUserText = ({ contents }: GenerateContentRequest): string =>
  (contents[0]?.parts ?? []).flatMap(({ text }) => (text === undefined ? [] : [text])).join("\n")

export const hasTool = ({ tools }: GenerateContentRequest, name: string): boolean =>
  tools?.some(
    (tool) => "functionDeclarations" in tool && tool.functionDeclarations?.some((one) => one.name === name) === true
  ) === true
