import { HttpApi, OpenApi } from "effect/http-api"
import { ApiKeysApi } from "./ApiKeysApi.ts"
import { DesktopsApi } from "./DesktopsApi.ts"
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
  .add(ModelsApi)
  .add(DesktopsApi)
  .add(ApiKeysApi)
  .add(HealthApi)
  .add(OperationsApi)
  .add(RootApi)
  .annotateMerge(OpenApi.annotations({ title: "Bytebot agent" })) {}

/** What the service answers while it starts. */
export class StartingApi extends HttpApi.make("bytebot-agent-starting").add(HealthApi) {}
