import { type Duration, Effect, Schedule } from "effect"

/** Asks again, every `interval`, until there is an answer; fails with `what` when there is none after `patience`. */
export const until = <A, E, R>(
  what: string,
  check: Effect.Effect<A | undefined, E, R>,
  patience: Duration.Input = "40 seconds",
  interval: Duration.Input = "20 millis"
) =>
  check.pipe(
    Effect.flatMap((found) =>
      found === undefined ? Effect.fail(new Error(`never happened: ${what}`)) : Effect.succeed(found)
    ),
    Effect.retry(Schedule.upTo(Schedule.spaced(interval), { duration: patience }))
  )
