import { Effect, Layer, Logger, References } from "effect"
import { Settings } from "../config/Settings.ts"

/** Log lines as LOG_FORMAT and LOG_LEVEL want them: pretty on a terminal, one JSON object a line elsewhere. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { logFormat, logLevel } = yield* Settings
    const isPretty = logFormat === "pretty" || (logFormat === "auto" && process.stdout.isTTY)
    return Layer.mergeAll(
      Logger.layer([isPretty ? Logger.consolePretty() : Logger.consoleJson]),
      Layer.succeed(References.MinimumLogLevel, logLevel)
    )
  })
)
