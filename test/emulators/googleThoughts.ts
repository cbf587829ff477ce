import type { Content, Part } from "@google/genai"
import { isModern } from "./googleModels.ts"
import { invalid } from "./googleShape.ts"
import { isRecord } from "./httpServer.ts"

/** Thought signatures: https://ai.google.dev/gemini-api/docs/thought-signatures */

/** Stand for a signature where the model made no such call. */
const substitutes = ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"]

/** What a signature was given out with. */
export interface Signed {
  readonly model: string
  readonly part: string
}

/** What of a part its signature belongs to. */
export const essence = ({ functionCall, text }: Part): string =>
  JSON.stringify(
    functionCall === undefined ? (text ?? "") : [functionCall.name, functionCall.args ?? {}],
    // The arguments are a Struct of protobuf, whose fields have no order.
    (_, value: unknown) => (isRecord(value) ? Object.fromEntries(Object.entries(value).sort()) : value)
  )

/** The index of the first content of the current turn: the last thing that a person said. */
const startOfTurn = (contents: ReadonlyArray<Content>): number =>
  contents.findLastIndex(
    ({ parts, role }) => role !== "model" && parts?.some(({ functionResponse }) => functionResponse === undefined)
  )

export const checkThoughts = (
  contents: ReadonlyArray<Content>,
  model: string,
  given: ReadonlyMap<string, Signed>
): void => {
  if (!isModern(model)) return
  const start = startOfTurn(contents)
  for (const [i, { parts = [] }] of contents.entries()) {
    for (const part of parts) checkSignature(part, model, given)
    const position = parts.findIndex(({ functionCall }) => functionCall !== undefined)
    const first = parts[position]
    if (i < start || first?.functionCall === undefined || first.thoughtSignature !== undefined) continue
    throw invalid(
      "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, " +
        "and missing thought_signature may lead to degraded model performance. Additional data, function call " +
        `\`default_api:${first.functionCall.name}\` , position ${position + 1}. Please refer to ` +
        "https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
    )
  }
}

const checkSignature = (part: Part, model: string, given: ReadonlyMap<string, Signed>): void => {
  const { thoughtSignature } = part
  if (thoughtSignature === undefined || substitutes.includes(thoughtSignature)) return
  const signed = given.get(thoughtSignature)
  if (signed === undefined) throw invalid("Corrupted thought signature.")
  if (signed.model !== model || signed.part !== essence(part)) throw invalid("Thought signature is not valid.")
}
