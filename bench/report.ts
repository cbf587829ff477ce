import { Effect } from "effect"

/** Prints a line of a benchmark's report. */
export const say = (line: string) =>
  Effect.sync(() => {
    process.stdout.write(`${line}\n`)
  })
