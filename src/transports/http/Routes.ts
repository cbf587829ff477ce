import { Layer } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { BothRoots } from "./BothRoots.ts"
import { DecodeRequest } from "./DecodeRequest.ts"
import { MessagesHandlers } from "./MessagesHandlers.ts"
import { ModelsHandlers } from "./ModelsHandlers.ts"
import { RootHandlers } from "./RootHandlers.ts"
import { TasksHandlers } from "./TasksHandlers.ts"
import { Wire } from "./Wire.ts"

const handlers = Layer.mergeAll(RootHandlers, ModelsHandlers, TasksHandlers, MessagesHandlers)

/** Every route of the service, at the root and under `/api`, with what all responses have in common on the wire. */
export const Routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api).pipe(Layer.provide(handlers), Layer.provide(DecodeRequest), Layer.provide(BothRoots)),
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
