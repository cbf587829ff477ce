import { Effect, Layer, Logger, References } from "effect"
import { Stopping } from "../health/Stopping.ts"

/** Effect's cluster names itself so in each of its log lines. */
const isOfCluster = (annotations: Readonly<Record<string, unknown>>): boolean =>
  String(annotations.module).startsWith("effect/cluster/")

/**
 * The loggers, without what Effect's cluster says while the service stops: that this replica, which has just signed off, is no healthy runner, and
 * that locks could not be released, which end with their session anyway.
 */
export const quietWhileStopping = Layer.effect(
  Logger.CurrentLoggers,
  Effect.gen(function* () {
    const stopping = yield* Stopping
    const loggers = yield* Logger.CurrentLoggers
    const quiet = (logger: Logger.Logger<unknown, unknown>) =>
      Logger.make((options) =>
        isOfCluster(options.fiber.getRef(References.CurrentLogAnnotations)) && stopping.isLeavingUnsafe()
          ? undefined
          : logger.log(options)
      )
    return new Set([...loggers].map(quiet))
  })
)
