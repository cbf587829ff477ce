import type OpenAI from "openai"
import { frame, pieces } from "./eventStream.ts"
import type { ErrorBody } from "./modelReplies.ts"
import { type completeResponse, errorBody } from "./openaiReplies.ts"

/** A response as a stream of events: https://developers.openai.com/api/reference/resources/responses/streaming-events, and the SDK's `ResponseStreamEvent`. */

type Answer = ReturnType<typeof completeResponse>
type Item = Answer["output"][number]
type Event = { readonly type: string } & Readonly<Record<string, unknown>>

const endings = { completed: "response.completed", incomplete: "response.incomplete" }

export const streamFrames = (answer: Answer): ReadonlyArray<string> => {
  const begun = {
    ...answer,
    status: "in_progress",
    completed_at: null,
    incomplete_details: null,
    output: [],
    usage: null
  }
  const events: ReadonlyArray<Event> = [
    { type: "response.created", response: begun },
    { type: "response.in_progress", response: begun },
    ...answer.output.flatMap((item, output_index) => itemEvents(item, output_index)),
    { type: answer.status === "incomplete" ? endings.incomplete : endings.completed, response: answer }
  ]
  return events.map((event, sequence_number) => frame({ ...event, sequence_number }, event.type))
}

const itemEvents = (item: Item, output_index: number): ReadonlyArray<Event> => [
  { type: "response.output_item.added", output_index, item: opened(item) },
  ...within(item).map((event) => ({ item_id: item.id, output_index, ...event })),
  { type: "response.output_item.done", output_index, item }
]

/** The encrypted content comes with the end of an item. */
const opened = (item: Item): unknown => {
  switch (item.type) {
    case "message":
      return { ...item, status: "in_progress", content: [] }
    case "function_call":
      return { ...item, status: "in_progress", arguments: "" }
    case "reasoning":
      return { id: item.id, type: item.type, summary: [] }
  }
}

const within = (item: Item): ReadonlyArray<Event> => {
  switch (item.type) {
    case "message":
      return item.content.flatMap((part, content_index) => contentEvents(part, content_index))
    case "function_call":
      return [
        ...pieces(item.arguments).map((delta) => ({ type: "response.function_call_arguments.delta", delta })),
        { type: "response.function_call_arguments.done", arguments: item.arguments }
      ]
    case "reasoning":
      return item.summary.flatMap((part, summary_index) => [
        { type: "response.reasoning_summary_part.added", summary_index, part: { ...part, text: "" } },
        ...pieces(part.text).map((delta) => ({ type: "response.reasoning_summary_text.delta", summary_index, delta })),
        { type: "response.reasoning_summary_text.done", summary_index, text: part.text },
        { type: "response.reasoning_summary_part.done", summary_index, part }
      ])
  }
}

type Part = OpenAI.Responses.ResponseOutputMessage["content"][number]

const contentEvents = (part: Part, content_index: number): ReadonlyArray<Event> => {
  const isText = part.type === "output_text"
  const told: ReadonlyArray<Event> = isText
    ? [
        ...pieces(part.text).map((delta) => ({
          type: "response.output_text.delta",
          content_index,
          delta,
          logprobs: []
        })),
        { type: "response.output_text.done", content_index, text: part.text, logprobs: [] }
      ]
    : [
        ...pieces(part.refusal).map((delta) => ({ type: "response.refusal.delta", content_index, delta })),
        { type: "response.refusal.done", content_index, refusal: part.refusal }
      ]
  return [
    {
      type: "response.content_part.added",
      content_index,
      part: isText ? { ...part, text: "" } : { ...part, refusal: "" }
    },
    ...told,
    { type: "response.content_part.done", content_index, part }
  ]
}

/** `ResponseErrorEvent`. */
export const errorFrame = (given: ErrorBody): string => {
  const { code, message, param, type } = errorBody(given).error
  return frame({ type: "error", code: code ?? type, message, param, sequence_number: 1 }, "error")
}
