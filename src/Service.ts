import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Settings } from "./config/Settings.ts"
import { startupNotice } from "./config/StartupNotice.ts"
import { Database } from "./database/Database.ts"
import { TaskEvents } from "./events/TaskEvents.ts"
import * as Logging from "./observability/Logging.ts"
import * as Services from "./Services.ts"
import { RouterSettings, Routes } from "./transports/http/Routes.ts"
import * as Server from "./transports/Server.ts"
import * as SocketIo from "./transports/SocketIo.ts"

/** Says where the service listens, what it uses and what is missing, once it does listen. */
const notice = Layer.effectDiscard(
  Effect.gen(function* () {
    const settings = yield* Settings
    const { info } = yield* Database
    const server = yield* HttpServer.HttpServer
    const address = HttpServer.formatAddress(server.address)
    yield* Effect.forEach(
      startupNotice(settings, { address, database: info.description }),
      (line) => Effect.logInfo(line),
      {
        discard: true
      }
    )
  })
)

/** The whole service; needs Settings. Sockets close before the server does, and the server before what it stands on. */
export const layer = Layer.mergeAll(SocketIo.layer, notice).pipe(
  Layer.provideMerge(
    HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true }).pipe(Layer.provide(RouterSettings))
  ),
  Layer.provideMerge(Server.layer),
  Layer.provide(TaskEvents.layer),
  Layer.provideMerge(Services.layer),
  Layer.provide(Logging.layer)
)
