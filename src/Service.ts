import { Effect, Layer, LogLevel } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import packageJson from "../package.json" with { type: "json" }
import { Settings } from "./config/Settings.ts"
import { startupBanner, startupNotice } from "./config/StartupNotice.ts"
import { Database } from "./database/Database.ts"
import { EventFeed } from "./events/EventFeed.ts"
import { TaskEvents } from "./events/TaskEvents.ts"
import { Health } from "./health/Health.ts"
import { Stopping } from "./health/Stopping.ts"
import { RequestLimits } from "./limits/RequestLimits.ts"
import { ModelCatalog } from "./models/ModelCatalog.ts"
import * as Logging from "./observability/Logging.ts"
import { Startup } from "./observability/Startup.ts"
import * as Telemetry from "./observability/Telemetry.ts"
import * as Services from "./Services.ts"
import { AddressConnections } from "./transports/AddressConnections.ts"
import { Gauges } from "./transports/Gauges.ts"
import { InFlight } from "./transports/http/InFlight.ts"
import { RouterSettings, Routes, StartingRoutes } from "./transports/http/Routes.ts"
import * as Rpc from "./transports/Rpc.ts"
import * as Server from "./transports/Server.ts"
import * as SocketIo from "./transports/SocketIo.ts"
import { SocketStats } from "./transports/SocketStats.ts"
import { UnfinishedFrames } from "./transports/UnfinishedFrames.ts"

/** Says where the service listens, what it uses and what is missing, once it does listen. */
const notice = Layer.effectDiscard(
  Effect.gen(function* () {
    const settings = yield* Settings
    const { info } = yield* Database
    const server = yield* HttpServer.HttpServer
    const address = HttpServer.formatAddress(server.address)
    const started = { address, database: info.description, version: packageJson.version }
    const isGreeted = Logging.isAtTerminal(settings) && LogLevel.isLessThanOrEqualTo(settings.logLevel, "Info")
    const { lines, warnings } = isGreeted ? startupBanner(settings, started) : startupNotice(settings, started)
    const say = isGreeted
      ? (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))
      : (line: string) => Effect.logInfo(line)
    yield* Effect.forEach(lines, say, { discard: true })
    yield* Effect.forEach(warnings, (line) => Effect.logWarning(line), { discard: true })
    yield* (yield* ModelCatalog).renew
  })
)

const served = { disableLogger: true, disableListenLog: true }

/**
 * What is there from the first moment on, so that an orchestrator can see what the service waits for. Its router is its own: built
 * apart, it is not what the running service adds its routes to.
 */
const starting = Layer.effectDiscard(
  Layer.build(
    Layer.fresh(
      HttpRouter.serve(StartingRoutes, served).pipe(Layer.provide(RouterSettings), Layer.provide(Health.starting))
    )
  )
)

const running = Layer.mergeAll(SocketIo.layer, notice).pipe(
  Layer.provideMerge(HttpRouter.serve(Layer.merge(Routes, Rpc.layer), served).pipe(Layer.provide(RouterSettings))),
  Layer.provide(EventFeed.layer),
  Layer.provide(
    Layer.provideMerge(
      Gauges.layer,
      Layer.mergeAll(
        TaskEvents.layer,
        Health.layer,
        SocketStats.layer,
        RequestLimits.configured,
        AddressConnections.layer,
        UnfinishedFrames.layer
      )
    )
  ),
  Layer.provideMerge(Services.layer)
)

/** The whole service; needs Settings. At the end it takes leave first (`Stopping`); then sockets close before the server does, and the server before what it stands on. */
export const layer = Stopping.atEnd.pipe(
  Layer.provideMerge(running),
  Layer.provideMerge(starting),
  Layer.provideMerge(Server.layer),
  Layer.provide(Layer.mergeAll(Startup.layer, Stopping.layer, InFlight.layer)),
  Layer.provide(Layer.provideMerge(Telemetry.layer, Logging.layer))
)
