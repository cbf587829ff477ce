/** Reproduction, see reservationBehindStatement.md: `node docs/upstream/reservationBehindStatement.ts`. Exits with 1 where the fault is present. */
import { PgClient } from "@effect/sql-pg"
import { Console, Duration, Effect, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"

const url = Redacted.make(process.env.DATABASE_URL ?? "postgresql://postgres@127.0.0.1:5432/postgres")

/** Milliseconds that a transaction takes which begins while a statement of two seconds runs on a pool of two connections. */
const transactionTime = (multiplex: boolean) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.make({ url, multiplex, maxConnections: 2 })
    yield* Effect.forkScoped(sql`SELECT pg_sleep(2)`)
    yield* Effect.sleep("500 millis")
    const [duration] = yield* Effect.timed(sql.withTransaction(sql`SELECT 1`))
    return Math.round(Duration.toMillis(duration))
  }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))

const program = Effect.gen(function* () {
  const [shared, exclusive] = [yield* transactionTime(true), yield* transactionTime(false)]
  yield* Console.log(`The transaction took ${shared} ms with multiplex, ${exclusive} ms without`)
  process.exitCode = shared < 1000 ? 0 : 1
})

Effect.runFork(program)
