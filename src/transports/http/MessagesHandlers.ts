import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { NewMessagePayload } from "../../api/MessagesApi.ts"
import type { TaskId } from "../../domain/Task.ts"
import { Messages } from "../../messages/Messages.ts"
import { groupMessages } from "../../messages/ProcessedMessages.ts"
import { payloadOf } from "./Payload.ts"

const newMessagePayload = payloadOf(NewMessagePayload)

/** Handlers of `MessagesApi`. */
export const MessagesHandlers = HttpApiBuilder.group(
  Api,
  "messages",
  Effect.fn(function* (handlers) {
    const messages = yield* Messages
    const page = (request: {
      readonly params: { readonly id: TaskId }
      readonly query: { readonly page?: number | undefined; readonly limit?: number | undefined }
    }) => {
      const { limit = 10, page = 1 } = request.query
      return messages.list({ taskId: request.params.id, page, limit })
    }
    return handlers
      .handleRaw("add", ({ params }) =>
        Effect.flatMap(newMessagePayload, ({ message }) => messages.addUserMessage(params.id, message))
      )
      .handle("list", page)
      .handle("raw", page)
      .handle("processed", (request) => Effect.map(page(request), groupMessages))
  })
)
