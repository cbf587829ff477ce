import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { makeReplica, untilShared } from "../support/Replicas.ts"
import { migrated } from "../support/TestDatabase.ts"

it.live(
  "replicas: one that comes later gets its share of the desktops, also where the database is far away",
  () =>
    Effect.gen(function* () {
      const databaseUrl = yield* migrated
      const sql = yield* PgClient.make({ url: Redacted.make(databaseUrl) }).pipe(Effect.provide(Reactivity.layer))
      for (const replicas of [1, 2]) {
        const { start } = yield* makeReplica({
          databaseUrl,
          decide: () => "pass",
          isOneOfMany: true,
          variables: {},
          latency: 25
        })
        yield* start
        yield* untilShared(sql, replicas)
      }
    }).pipe(Effect.scoped),
  90_000
)

it.live(
  "one process gives its desktops up before it ends, also where the database is far away",
  () =>
    Effect.gen(function* () {
      const { process, start } = yield* makeReplica({
        databaseUrl: yield* migrated,
        decide: () => "pass",
        isOneOfMany: false,
        variables: {},
        latency: 5
      })
      yield* start
      process().signal("SIGTERM")
      assert.strictEqual(yield* process().ended, 0)
      assert.notInclude(process().output(), "Could not release shards")
    }).pipe(Effect.scoped),
  90_000
)
