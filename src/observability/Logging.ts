import { Effect, Layer, Logger, References } from "effect"
import { Settings, type SettingsValues } from "../config/Settings.ts"
import { terminalLogger } from "./TerminalLogger.ts"

/** Whether a person reads along: then the start is greeted by a banner, not by log lines. */
export const isAtTerminal = ({ logFormat }: SettingsValues): boolean => logFormat !== "json" && process.stdout.isTTY

/** Log lines as LOG_FORMAT and LOG_LEVEL want them: a line to read on a terminal, one JSON object a line elsewhere. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    const isReadable = settings.logFormat === "pretty" || isAtTerminal(settings)
    return Layer.mergeAll(
      Logger.layer([isReadable ? terminalLogger : Logger.consoleJson]),
      Layer.succeed(References.MinimumLogLevel, settings.logLevel)
    )
  })
)
