import { Clock, DateTime, Effect } from "effect"
import { HttpEffect, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import packageJson from "../../../package.json" with { type: "json" }
import { Api, StartingApi } from "../../api/Api.ts"
import type { HealthApi } from "../../api/HealthApi.ts"
import { Health } from "../../health/Health.ts"

const identity = { version: packageJson.version, service: packageJson.name }

/** An answer is about now: nobody may keep it. */
const notToBeStored = HttpEffect.appendPreResponseHandler((_, response) =>
  Effect.succeed(HttpServerResponse.setHeader(response, "cache-control", "no-store"))
)

const uptime = Effect.map(Clock.currentTimeMillis, () => Math.round(process.uptime() * 10) / 10)

const build = Effect.fnUntraced(function* (handlers: HttpApiBuilder.Handlers.FromGroup<typeof HealthApi>) {
  const { checkup } = yield* Health
  const current = Effect.tap(Effect.all({ timestamp: DateTime.now, checkup }), notToBeStored)
  return handlers
    .handle("overview", () =>
      Effect.map(current, ({ checkup: { database, reason }, timestamp }) => {
        const { connected, pool_stats } = database
        const summary = { timestamp, ...identity, database: { connected, pool_stats } }
        return reason === null
          ? { status: "healthy" as const, ...summary }
          : { status: "unhealthy" as const, reason, ...summary }
      })
    )
    .handle("detailed", () =>
      Effect.map(
        Effect.all([current, uptime]),
        ([
          {
            checkup: { database, reason },
            timestamp
          },
          uptime_seconds
        ]) => {
          const details = { timestamp, ...identity, uptime_seconds, database }
          return reason === null
            ? { status: "healthy" as const, ...details }
            : { status: "unhealthy" as const, reason, ...details }
        }
      )
    )
    .handle("ready", () =>
      Effect.map(current, ({ checkup: { reason }, timestamp }) =>
        reason === null ? { status: "ready" as const, timestamp } : { status: "not_ready" as const, reason, timestamp }
      )
    )
    .handle("live", () =>
      Effect.all({ timestamp: DateTime.now, uptime_seconds: uptime }).pipe(
        Effect.tap(notToBeStored),
        Effect.map((now) => ({ status: "alive" as const, ...now }))
      )
    )
})

/** Handlers of `HealthApi` in the running service, and while it starts. */
export const HealthHandlers = HttpApiBuilder.group(Api, "health", build)
export const StartingHealthHandlers = HttpApiBuilder.group(StartingApi, "health", build)
