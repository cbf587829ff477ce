import { frame, pieces } from "./eventStream.ts"
import { isRecord } from "./httpServer.ts"
import type { ErrorBody } from "./modelReplies.ts"
import { type completion, errorBody } from "./proxyReplies.ts"

/** A chat completion in chunks: https://developers.openai.com/api/reference/resources/chat/subresources/completions/streaming-events, as LiteLLM sends them. */

type Answer = ReturnType<typeof completion>
type Fields = Readonly<Record<string, unknown>>

export const streamFrames = (answer: Answer, isUsageWanted: boolean): ReadonlyArray<string> => {
  const { choices, usage, ...rest } = answer
  const chunk = (more: Fields) => frame({ ...rest, object: "chat.completion.chunk", ...more })
  const [choice] = choices
  if (choice === undefined) return []
  const { finish_reason, index, message } = choice
  const delta = (fields: Fields, reason: string | null = null) =>
    chunk({ choices: [{ index, delta: fields, finish_reason: reason }] })
  const { role, tool_calls, ...fields } = message
  return [
    delta({ role, content: "" }),
    ...Object.entries(fields).flatMap(([key, value]) => {
      if (typeof value === "string") return pieces(value).map((text) => delta({ [key]: text }))
      return value === null ? [] : [delta({ [key]: value })]
    }),
    ...(Array.isArray(tool_calls) ? tool_calls : [])
      .filter(isRecord)
      .flatMap(callDeltas)
      .map((call) => delta({ tool_calls: [call] })),
    delta({}, finish_reason),
    ...(isUsageWanted ? [chunk({ choices: [], usage })] : []),
    "data: [DONE]\n\n"
  ]
}

/** Name and id come first, then the arguments in pieces. */
const callDeltas = ({ function: called, ...call }: Fields, index: number): ReadonlyArray<Fields> => {
  const { arguments: given, ...named } = isRecord(called) ? called : {}
  return [
    { index, ...call, function: { ...named, arguments: "" } },
    ...pieces(String(given)).map((text) => ({ index, function: { arguments: text } }))
  ]
}

/** An error within a stream is a chunk that has nothing else. */
export const errorFrame = (error: ErrorBody): string => frame(errorBody(error, 500))
