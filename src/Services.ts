import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer, Option } from "effect"
import { AgentLoop } from "./agent/AgentLoop.ts"
import { ModelCalls } from "./agent/ModelCalls.ts"
import { ToolJournal } from "./agent/ToolJournal.ts"
import { ToolRunner } from "./agent/ToolRunner.ts"
import * as DesktopWorker from "./agent/worker/DesktopWorker.ts"
import * as TaskReconciler from "./agent/worker/TaskReconciler.ts"
import { Analytics } from "./analytics/Analytics.ts"
import { Accounts } from "./auth/Accounts.ts"
import { Logins } from "./auth/Logins.ts"
import { Settings } from "./config/Settings.ts"
import { Database } from "./database/Database.ts"
import { Desktops } from "./desktop/Desktops.ts"
import { Drafts } from "./events/Drafts.ts"
import { Notifications } from "./events/Notifications.ts"
import * as RedisNotifications from "./events/RedisNotifications.ts"
import { Attachments } from "./messages/Attachments.ts"
import { Conversations } from "./messages/Conversations.ts"
import { Messages } from "./messages/Messages.ts"
import { ShownPictures } from "./messages/ShownPictures.ts"
import * as ConfiguredModels from "./models/ConfiguredModels.ts"
import { ModelCatalog } from "./models/ModelCatalog.ts"
import * as Cluster from "./placement/Cluster.ts"
import * as MessagePurge from "./placement/MessagePurge.ts"
import { Placement } from "./placement/Placement.ts"
import { BrokenRuns } from "./tasks/BrokenRuns.ts"
import { DesktopStates } from "./tasks/DesktopStates.ts"
import { Dispatch } from "./tasks/Dispatch.ts"
import * as TaskCounts from "./tasks/TaskCounts.ts"
import { TaskRuns } from "./tasks/TaskRuns.ts"
import { Tasks } from "./tasks/Tasks.ts"
import { Usage } from "./tasks/Usage.ts"
import { Visibility } from "./tasks/Visibility.ts"

/** Events are heard of by PostgreSQL, or by Redis where the settings name one. */
const notifications = Layer.unwrap(
  Effect.map(Settings, ({ redisUrl }) =>
    Option.match(redisUrl, {
      onNone: () => Notifications.postgres,
      onSome: (url) => RedisNotifications.layer(url)
    })
  )
)

const eventRelay = Layer.unwrap(
  Effect.map(Settings, ({ redisUrl }) =>
    Option.match(redisUrl, { onNone: () => Layer.empty, onSome: RedisNotifications.relay })
  )
)

/** Database, domain services and the agent: all but the transports. Needs Settings. */
export const layer = Layer.mergeAll(
  DesktopWorker.layer,
  TaskReconciler.layer,
  MessagePurge.layer,
  TaskCounts.folding,
  eventRelay
).pipe(
  Layer.provide(AgentLoop.layer),
  Layer.provide(ToolJournal.layer),
  Layer.provide(Layer.mergeAll(ModelCalls.layer, ToolRunner.layer)),
  Layer.provideMerge(Layer.provideMerge(Drafts.layer, notifications)),
  Layer.provideMerge(Layer.mergeAll(Messages.layer, Attachments.layer, ShownPictures.layer, Visibility.layer)),
  Layer.provideMerge(Layer.mergeAll(Tasks.layer, Usage.layer)),
  Layer.provide(Dispatch.layer),
  Layer.provideMerge(DesktopStates.layer),
  Layer.provide(Layer.mergeAll(TaskRuns.layer, Conversations.layer, Desktops.layer)),
  Layer.provideMerge(BrokenRuns.layer),
  Layer.provideMerge(Layer.mergeAll(Placement.layer, Analytics.layer, ModelCatalog.layer)),
  Layer.provide(ConfiguredModels.layer),
  Layer.provide(Cluster.layer),
  Layer.provideMerge(Layer.mergeAll(Accounts.configured, Logins.configured)),
  Layer.provideMerge(Database.layer),
  Layer.provide(NodeHttpClient.layerNodeHttp)
)
