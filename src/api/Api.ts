import { HttpApi, OpenApi } from "effect/http-api"
import { MessagesApi } from "./MessagesApi.ts"
import { ModelsApi } from "./ModelsApi.ts"
import { RootApi } from "./RootApi.ts"
import { TasksApi } from "./TasksApi.ts"

/** The REST API; clients can be derived from it (`HttpApiClient.make`). */
export class Api extends HttpApi.make("bytebot-agent")
  .add(RootApi)
  .add(ModelsApi)
  .add(TasksApi)
  .add(MessagesApi)
  .annotateMerge(OpenApi.annotations({ title: "Bytebot agent" })) {}
