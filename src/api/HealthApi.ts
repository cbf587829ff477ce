import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { DatabaseHealth, PoolStats } from "../domain/Health.ts"

const common = { timestamp: Schema.DateTimeUtcFromString, version: Schema.String, service: Schema.String }

const summary = {
  ...common,
  database: Schema.Struct({
    connected: Schema.Boolean,
    pool_stats: Schema.NullOr(PoolStats.mapFields(({ idle, size }) => ({ size, idle })))
  })
}
const details = { ...common, uptime_seconds: Schema.Finite, database: DatabaseHealth }

const healthy = { status: Schema.Literal("healthy") }
const unhealthy = { status: Schema.Literal("unhealthy"), reason: Schema.String }

/**
 * For people, load balancers and orchestrators (docs/contract/rest.md, the Rust version's routes). `/health`, `/health/detailed` and `/health/ready`
 * answer 503 while the service can't work; `/health/live` does not, as a restart would not help.
 */
export class HealthApi extends HttpApiGroup.make("health").add(
  HttpApiEndpoint.get("overview", "/health", {
    success: [
      Schema.Struct({ ...healthy, ...summary }),
      Schema.Struct({ ...unhealthy, ...summary }).pipe(HttpApiSchema.status(503))
    ]
  }),
  HttpApiEndpoint.get("detailed", "/health/detailed", {
    success: [
      Schema.Struct({ ...healthy, ...details }),
      Schema.Struct({ ...unhealthy, ...details }).pipe(HttpApiSchema.status(503))
    ]
  }),
  HttpApiEndpoint.get("ready", "/health/ready", {
    success: [
      Schema.Struct({ status: Schema.Literal("ready"), timestamp: common.timestamp }),
      Schema.Struct({
        status: Schema.Literal("not_ready"),
        reason: Schema.String,
        timestamp: common.timestamp
      }).pipe(HttpApiSchema.status(503))
    ]
  }),
  HttpApiEndpoint.get("live", "/health/live", {
    success: Schema.Struct({
      status: Schema.Literal("alive"),
      timestamp: common.timestamp,
      uptime_seconds: Schema.Finite
    })
  })
) {}
