import { monitorEventLoopDelay } from "node:perf_hooks"
import { Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Settings } from "../config/Settings.ts"
import { DatabasePool } from "../database/DatabasePool.ts"
import { everybody } from "../domain/Caller.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import { untraced } from "../observability/TraceParent.ts"
import { countOf } from "../tasks/TaskCounts.ts"
import { SocketStats } from "./SocketStats.ts"

/** Age up to which a count of the database is used again: concurrent scrapes share a statement. */
const countValidFor = Duration.seconds(5)

/** How often the gauges are renewed for an OpenTelemetry collector. */
const renewEvery = Duration.seconds(10)

const unfinished = ["PENDING", "RUNNING", "NEEDS_HELP", "NEEDS_REVIEW"] as const

/** Metrics that are read when they are needed, not counted as things happen. */
export class Gauges extends Context.Service<Gauges, { readonly renew: Effect.Effect<void> }>()("bytebot/Gauges") {
  static readonly layer = Layer.effect(
    Gauges,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const pool = yield* DatabasePool
      const sockets = yield* SocketStats
      const { otelEndpoint } = yield* Settings
      const delay = monitorEventLoopDelay({ resolution: 20 })
      yield* Effect.acquireRelease(
        Effect.sync(() => delay.enable()),
        () => Effect.sync(() => delay.disable())
      )

      const count = Effect.gen(function* () {
        const rows = yield* sql`
          SELECT ${sql.csv(unfinished.map((status) => sql`(${countOf(sql, everybody, [sql.literal(`"status" = '${status}'`)])}) AS ${sql(status)}`))},
            (SELECT count(*)::int FROM "Task" WHERE "status" = 'PENDING' AND "scheduledFor" > now()) AS later`
        const { later, ...counts } = yield* decodeCounts(rows[0])
        for (const status of unfinished) yield* measure(metrics.tasks, counts[status], { status })
        yield* measure(metrics.queue, counts.PENDING - later)
      }).pipe(
        Effect.timeout("2 seconds"),
        // The other gauges are renewed during an outage of the database, too.
        Effect.catchCause((cause) => Effect.logDebug("Tasks were not counted", cause))
      )
      const counted = yield* Effect.cachedWithTTL(count, countValidFor)

      const renew = untraced(
        Effect.gen(function* () {
          yield* counted
          const { idle, max, size, waiting } = yield* pool.stats
          yield* measure(metrics.connections, idle, { state: "idle" })
          yield* measure(metrics.connections, size - idle, { state: "used" })
          yield* measure(metrics.connectionsMax, max)
          yield* measure(metrics.connectionsWaiting, waiting)
          yield* measure(metrics.sockets, (yield* sockets.current).total_connections)
          yield* measure(metrics.memory, process.memoryUsage.rss())
          yield* measure(metrics.eventLoopDelay, delay.count === 0 ? 0 : delay.percentile(99) / 1e9)
          delay.reset()
        })
      )
      if (Option.isSome(otelEndpoint)) {
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(renew, Effect.sleep(renewEvery))))
      }
      return Gauges.of({ renew })
    })
  )
}

const decodeCounts = Schema.decodeUnknownEffect(
  Schema.Struct({
    PENDING: Schema.Int,
    RUNNING: Schema.Int,
    NEEDS_HELP: Schema.Int,
    NEEDS_REVIEW: Schema.Int,
    later: Schema.Int
  })
)
