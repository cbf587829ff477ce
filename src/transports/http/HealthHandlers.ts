import { DateTime, Effect } from "effect"
import { HttpEffect, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import packageJson from "../../../package.json" with { type: "json" }
import { Api, StartingApi } from "../../api/Api.ts"
import type { HealthApi } from "../../api/HealthApi.ts"
import { Health } from "../../health/Health.ts"

const identity = { version: packageJson.version, service: packageJson.name }

/** A health answer holds for the moment only. */
const notToBeStored = HttpEffect.appendPreResponseHandler((_, response) =>
  Effect.succeed(HttpServerResponse.setHeader(response, "cache-control", "no-store"))
)

const uptime = Effect.sync(() => Math.round(process.uptime() * 10) / 10)

const health = (reason: string | null) =>
  reason === null ? { status: "healthy" as const } : { status: "unhealthy" as const, reason }

const readiness = (reason: string | null) =>
  reason === null ? { status: "ready" as const } : { status: "not_ready" as const, reason }

const build = Effect.fnUntraced(function* (handlers: HttpApiBuilder.Handlers.FromGroup<typeof HealthApi>) {
  const { checkup } = yield* Health
  const current = Effect.tap(Effect.all({ timestamp: DateTime.now, checkup, uptime_seconds: uptime }), notToBeStored)
  return handlers
    .handle("overview", () =>
      Effect.map(current, ({ checkup: { database, reason }, timestamp }) => {
        const { connected, pool_stats } = database
        return { ...health(reason), timestamp, ...identity, database: { connected, pool_stats } }
      })
    )
    .handle("detailed", () =>
      Effect.map(current, ({ checkup: { database, reason }, timestamp, uptime_seconds }) => ({
        ...health(reason),
        ...{ timestamp, ...identity, uptime_seconds, database }
      }))
    )
    .handle("ready", () =>
      Effect.map(current, ({ checkup: { reason }, timestamp }) => ({ ...readiness(reason), timestamp }))
    )
    .handle("live", () =>
      Effect.all({ status: Effect.succeed("alive" as const), timestamp: DateTime.now, uptime_seconds: uptime }).pipe(
        Effect.tap(notToBeStored)
      )
    )
})

/** Handlers of `HealthApi` in the running service, and while it starts. */
export const HealthHandlers = HttpApiBuilder.group(Api, "health", build)
export const StartingHealthHandlers = HttpApiBuilder.group(StartingApi, "health", build)
