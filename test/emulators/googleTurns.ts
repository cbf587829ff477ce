import type { Content, FunctionCall, FunctionResponse, Part } from "@google/genai"
import { isModern } from "./googleModels.ts"
import { invalid } from "./googleShape.ts"

/**
 * What must hold between contents. Other parts beside the responses to calls are counted with them, as older models were seen to do: a
 * careful client sends them in a content of their own.
 */
export const checkTurns = (contents: ReadonlyArray<Content>, model: string): void => {
  if (contents[0]?.role === "model") throw invalid("Please ensure that multiturn requests start with a user turn.")
  if (contents.at(-1)?.role === "model") {
    throw invalid("Please ensure that multiturn requests end with a user turn or a function response turn.")
  }
  for (const [i, content] of contents.entries()) {
    const before = contents[i - 1]
    const calls = callsOf(before)
    const responses = responsesOf(content)
    if (calls.length > 0 || responses.length > 0) checkResponses(partsOf(content), calls, responses, model)
    if (callsOf(content).length > 0 && before?.role === "model") {
      throw invalid(
        "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
      )
    }
  }
}

const partsOf = (content: Content | undefined): ReadonlyArray<Part> => content?.parts ?? []

export const callsOf = (content: Content | undefined): ReadonlyArray<FunctionCall> =>
  partsOf(content).flatMap(({ functionCall }) => (functionCall === undefined ? [] : [functionCall]))

export const responsesOf = (content: Content | undefined): ReadonlyArray<FunctionResponse> =>
  partsOf(content).flatMap(({ functionResponse }) => (functionResponse === undefined ? [] : [functionResponse]))

const checkResponses = (
  parts: ReadonlyArray<Part>,
  calls: ReadonlyArray<FunctionCall>,
  responses: ReadonlyArray<FunctionResponse>,
  model: string
): void => {
  if (calls.length === 0) {
    throw invalid("Please ensure that function response turn comes immediately after a function call turn.")
  }
  if (responses.length !== calls.length || parts.length !== calls.length) {
    throw invalid(
      "Please ensure that the number of function response parts is equal to the number of function call parts of the " +
        "function call turn."
    )
  }
  for (const [i, call] of calls.entries()) {
    const response = responses[i]
    if (response?.name !== call.name) {
      throw invalid("Please ensure that the names of function response parts match those of the function call turn.")
    }
    if (response?.id !== call.id) throw invalid("functionResponse.id does not match functionCall.id")
    if (response?.parts !== undefined && !isModern(model)) {
      throw invalid("Unable to submit request because `function_response.parts` is not supported for this model.")
    }
  }
}
