import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Message } from "../domain/Message.ts"
import { Summary } from "../domain/Summary.ts"
import { Role, TaskWithFiles } from "../domain/Task.ts"
import { Authentication } from "./Authentication.ts"
import { DatabaseUnavailableBody, TaskNotFoundBody } from "./ErrorBody.ts"
import { RequestDecoding } from "./RequestDecoding.ts"
import { NonEmptyText, pageQuery, queryChoice, TaskIdText } from "./RequestFields.ts"

/** Messages that belong together on a screen: one role, and either all or none of them what a user did on the desktop. */
export const MessageGroup = Schema.Struct({
  role: Role,
  messages: Schema.Array(Schema.Struct({ ...Message.fields, take_over: Schema.optionalKey(Schema.Boolean) })),
  take_over: Schema.Boolean
})

export const NewMessagePayload = Schema.Struct({ message: NonEmptyText })

const params = { id: TaskIdText }

/** `images=urls` has addresses in place of pictures, which are megabytes of base64. */
const messagesQuery = { ...pageQuery, images: Schema.optionalKey(queryChoice(Schema.Literals(["inline", "urls"]))) }

/** The messages of a task, oldest first; an unknown task has none. */
export class MessagesApi extends HttpApiGroup.make("messages")
  .add(
    HttpApiEndpoint.post("add", "/tasks/:id/messages", {
      params,
      payload: NewMessagePayload,
      success: TaskWithFiles.pipe(HttpApiSchema.status(201)),
      error: [TaskNotFoundBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.get("list", "/tasks/:id/messages", {
      params,
      query: messagesQuery,
      success: Schema.Array(Message),
      error: DatabaseUnavailableBody
    }),
    HttpApiEndpoint.get("summaries", "/tasks/:id/summaries", {
      params,
      success: Schema.Array(Summary),
      error: [TaskNotFoundBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.get("raw", "/tasks/:id/messages/raw", {
      params,
      query: messagesQuery,
      success: Schema.Array(Message),
      error: DatabaseUnavailableBody
    }),
    HttpApiEndpoint.get("processed", "/tasks/:id/messages/processed", {
      params,
      query: messagesQuery,
      success: Schema.Array(MessageGroup),
      error: DatabaseUnavailableBody
    })
  )
  .middleware(RequestDecoding)
  .middleware(Authentication) {}
