import { NodeHttpClient } from "@effect/platform-node"
import { Layer } from "effect"
import { AgentLoop } from "./agent/AgentLoop.ts"
import * as DesktopWorker from "./agent/DesktopWorker.ts"
import { ModelCalls } from "./agent/ModelCalls.ts"
import * as ConfiguredModels from "./agent/models/ConfiguredModels.ts"
import { ModelCatalog } from "./agent/models/ModelCatalog.ts"
import { ToolRunner } from "./agent/ToolRunner.ts"
import { Analytics } from "./analytics/Analytics.ts"
import { Database } from "./database/Database.ts"
import { Desktops } from "./desktop/Desktops.ts"
import { Conversations } from "./messages/Conversations.ts"
import { Messages } from "./messages/Messages.ts"
import { Placement } from "./placement/Placement.ts"
import * as SingleProcess from "./placement/SingleProcess.ts"
import { TaskRuns } from "./tasks/TaskRuns.ts"
import { Tasks } from "./tasks/Tasks.ts"

/** Database, domain services and the agent: all but the transports. Needs Settings. */
export const layer = Layer.mergeAll(DesktopWorker.layer, DesktopWorker.reconciler).pipe(
  Layer.provide(AgentLoop.layer),
  Layer.provide(Layer.mergeAll(ModelCalls.layer, ToolRunner.layer)),
  Layer.provideMerge(Messages.layer),
  Layer.provideMerge(Tasks.layer),
  Layer.provide(Layer.mergeAll(TaskRuns.layer, Conversations.layer, Desktops.layer, ConfiguredModels.layer)),
  Layer.provideMerge(Layer.mergeAll(Placement.layer, Analytics.layer, ModelCatalog.layer)),
  Layer.provide(SingleProcess.layer),
  Layer.provideMerge(Database.layer),
  Layer.provide(NodeHttpClient.layerNodeHttp)
)
