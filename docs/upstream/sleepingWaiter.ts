/** Reproduction, see sleepingWaiter.md: `node docs/upstream/sleepingWaiter.ts`. Exits with 1 where the fault is present. */
import { Console, Effect, Option, Pool } from "effect"

/** Two borrowers of an empty pool for two items. The first one reserves its item at once; the second one comes some turns later. */
const attempt = (turns: number) =>
  Effect.gen(function* () {
    let opened = 0
    const pool = yield* Pool.makeWithTTL({
      acquire: Effect.sync(() => ++opened),
      min: 0,
      max: 2,
      concurrency: 2,
      timeToLive: "1 minute"
    })
    yield* Pool.get(pool).pipe(
      Effect.tap((item) => Pool.reserve(pool, item)),
      Effect.andThen(Effect.never),
      Effect.scoped,
      Effect.forkScoped
    )
    yield* Effect.repeat(Effect.yieldNow, { times: turns })
    const second = yield* Pool.get(pool).pipe(Effect.scoped, Effect.timeoutOption("200 millis"))
    return { turns, opened, isAsleep: Option.isNone(second) }
  }).pipe(Effect.scoped)

const program = Effect.gen(function* () {
  const attempts = yield* Effect.forEach(
    Array.from({ length: 20 }, (_, turns) => turns),
    attempt
  )
  const asleep = attempts.filter(({ isAsleep }) => isAsleep)
  yield* Console.log(`The second borrower sleeps in ${asleep.length} of ${attempts.length} attempts`, asleep)
  process.exitCode = asleep.length === 0 ? 0 : 1
})

Effect.runFork(program)
