import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api, StartingApi } from "../../api/Api.ts"
import { Startup } from "../../observability/Startup.ts"
import { ApiKeysHandlers } from "./ApiKeysHandlers.ts"
import { AttachmentsHandlers } from "./AttachmentsHandlers.ts"
import { Authenticate } from "./Authenticate.ts"
import { AuthRoutes } from "./AuthRoutes.ts"
import { BothRoots } from "./BothRoots.ts"
import { ConsoleRoutes } from "./ConsoleRoutes.ts"
import { DecodeRequest } from "./DecodeRequest.ts"
import { DesktopsHandlers } from "./DesktopsHandlers.ts"
import { DocsRoutes } from "./DocsRoutes.ts"
import { EventsHandlers } from "./EventsHandlers.ts"
import { HealthHandlers, StartingHealthHandlers } from "./HealthHandlers.ts"
import { MessagesHandlers } from "./MessagesHandlers.ts"
import { MetricsRoute } from "./MetricsRoute.ts"
import { ModelsHandlers } from "./ModelsHandlers.ts"
import { OperationsHandlers } from "./OperationsHandlers.ts"
import { RootHandlers } from "./RootHandlers.ts"
import { TasksHandlers } from "./TasksHandlers.ts"
import { Wire } from "./Wire.ts"

const handlers = Layer.mergeAll(
  RootHandlers,
  HealthHandlers,
  ModelsHandlers,
  TasksHandlers,
  MessagesHandlers,
  AttachmentsHandlers,
  EventsHandlers,
  DesktopsHandlers,
  ApiKeysHandlers,
  OperationsHandlers
)

/** Every route of the service, at the root and under `/api`. */
export const Routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api).pipe(
    Layer.provide(handlers),
    Layer.provide([DecodeRequest, Authenticate]),
    Layer.provide(BothRoots)
  ),
  AuthRoutes,
  ConsoleRoutes,
  DocsRoutes,
  MetricsRoute.pipe(Layer.provide(BothRoots)),
  Wire
)

/** Answers 503 to all other requests, with the reason. */
const NotYet = HttpRouter.add("*", "/*", () =>
  Effect.gen(function* () {
    const { reason } = yield* Startup
    const body = { message: yield* reason, error: "Service Unavailable", statusCode: 503 }
    return HttpServerResponse.jsonUnsafe(body, { status: 503 })
  })
)

/** Routes while the service starts: health; other requests are answered with 503. */
export const StartingRoutes = Layer.mergeAll(
  HttpApiBuilder.layer(StartingApi).pipe(Layer.provide(StartingHealthHandlers), Layer.provide(BothRoots)),
  NotYet,
  Wire
)

/**
 * How the router reads paths, to be provided where the router is made: as the original's (Express), which ignores case
 * and a trailing slash but does not merge slashes; ids may be as long as a request line.
 */
export const RouterSettings: Layer.Layer<never> = Layer.succeed(HttpRouter.RouterConfig, {
  caseSensitive: false,
  ignoreTrailingSlash: true,
  ignoreDuplicateSlashes: false,
  maxParamLength: 65_536
})
