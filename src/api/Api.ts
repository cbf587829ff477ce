import { HttpApi, OpenApi } from "effect/http-api"
import { ApiKeysApi } from "./ApiKeysApi.ts"
import { AttachmentsApi } from "./AttachmentsApi.ts"
import { DesktopsApi } from "./DesktopsApi.ts"
import { EventsApi } from "./EventsApi.ts"
import { HealthApi } from "./HealthApi.ts"
import { MessagesApi } from "./MessagesApi.ts"
import { ModelsApi } from "./ModelsApi.ts"
import { OperationsApi } from "./OperationsApi.ts"
import { RootApi } from "./RootApi.ts"
import { TasksApi } from "./TasksApi.ts"

/** The REST API, in the order of its documents; clients can be derived from it (`HttpApiClient.make`). */
export class Api extends HttpApi.make("bytebot-agent")
  .add(TasksApi)
  .add(MessagesApi)
  .add(AttachmentsApi)
  .add(EventsApi)
  .add(ModelsApi)
  .add(DesktopsApi)
  .add(ApiKeysApi)
  .add(HealthApi)
  .add(OperationsApi)
  .add(RootApi)
  .annotateMerge(OpenApi.annotations({ title: "Bytebot agent" })) {}

/** The API while the service starts. */
export class StartingApi extends HttpApi.make("bytebot-agent-starting").add(HealthApi) {}
