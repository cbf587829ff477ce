import { Effect, type Layer, Logger } from "effect"

/** Prints a line of a command's result. */
export const print = (line: string): Effect.Effect<void> => Effect.sync(() => process.stdout.write(`${line}\n`))

/** Prints a remark, which is not part of the command's result, on stderr. */
export const remark = (line: string): Effect.Effect<void> => Effect.sync(() => process.stderr.write(`${line}\n`))

/** Log lines of a command go to stderr, without time and level. */
export const logLayer: Layer.Layer<never> = Logger.layer([
  Logger.make(({ message }) => {
    process.stderr.write(`${[message].flat().map(String).join(" ")}\n`)
  })
])
