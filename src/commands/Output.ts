import { Effect, type Layer, Logger } from "effect"
import type { TableCount } from "../database/dump/WriteDump.ts"

/** A line of a command's result. */
export const say = (line: string): Effect.Effect<void> => Effect.sync(() => process.stdout.write(`${line}\n`))

/** Rows by table, a line each. */
export const sayCounts = (counts: ReadonlyArray<TableCount>): Effect.Effect<void> => {
  const width = Math.max(...counts.map(({ table }) => table.length))
  return Effect.forEach(counts, ({ rows, table }) => say(`  ${table.padEnd(width)}  ${rows}`), { discard: true })
}

/** What a command says on the way goes to stderr, as it is. */
export const logLayer: Layer.Layer<never> = Logger.layer([
  Logger.make(({ message }) => {
    process.stderr.write(`${[message].flat().map(String).join(" ")}\n`)
  })
])
