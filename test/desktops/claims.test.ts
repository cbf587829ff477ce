import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, layer } from "@effect/vitest"
import { DateTime, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import { Analytics } from "../../src/analytics/Analytics.ts"
import { Settings } from "../../src/config/Settings.ts"
import { BrokenRuns } from "../../src/tasks/BrokenRuns.ts"
import { DesktopStates } from "../../src/tasks/DesktopStates.ts"
import type { Ownership } from "../../src/tasks/Lease.ts"
import { TaskRuns } from "../../src/tasks/TaskRuns.ts"
import * as TestDatabase from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

/** How tasks are given to desktops, seen from the database. */

const names = Array.from({ length: 8 }, (_, index) => `d${index}`)
const settings = Settings.layerFrom({
  BYTEBOT_DESKTOP_BASE_URL: names.map((name) => `${name}=http://${name}:9990`).join(",")
})

const services = Layer.mergeAll(TaskRuns.layer, DesktopStates.layer).pipe(
  Layer.provide(BrokenRuns.layer),
  Layer.provide(Analytics.layer),
  Layer.provide(NodeHttpClient.layerNodeHttp),
  Layer.provideMerge(settings),
  Layer.provideMerge(TestDatabase.TestDatabase.withClient)
)

const addTasks = Effect.fnUntraced(function* (prefix: string, count: number, status: string) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO "Task" ("id", "description", "status", "model", "createdAt", "updatedAt", "executedAt")
    SELECT ${prefix} || n, 'any', ${status}::"TaskStatus", '{}', now(), now(), CASE WHEN ${status} = 'PENDING' THEN NULL ELSE now() END
    FROM generate_series(1, ${count}::int) n`
})

const ownAll = Effect.flatMap(TaskRuns, ({ own }) =>
  Effect.forEach(names, (name) => own(`http://${name}:9990`, "replica:1"))
)

layer(services, { timeout: "90 seconds", excludeTestServices: true })("tasks", (test) => {
  test.effect("go to one desktop each, however many ask at the same time", () =>
    Effect.gen(function* () {
      const runs = yield* TaskRuns
      const sql = yield* SqlClient.SqlClient
      const owners = yield* ownAll
      yield* addTasks("many", 300, "PENDING")
      const work = Effect.fnUntraced(function* (owner: Ownership) {
        const claimed: Array<string> = []
        for (;;) {
          const claim = yield* runs.claim(owner)
          if (Option.isNone(claim)) return claimed
          const { lease, task } = claim.value
          claimed.push(task.id)
          yield* runs.finish(lease, { status: "COMPLETED", description: "ok" })
        }
      })
      const claimed = (yield* Effect.forEach(owners, work, { concurrency: "unbounded" })).flat()
      assert.lengthOf(claimed, 300)
      assert.strictEqual(new Set(claimed).size, 300)
      const again = yield* sql`SELECT 1 FROM "TaskRun" WHERE "epoch" <> 1`
      assert.lengthOf(again, 0)
      yield* sql`DELETE FROM "Task"`
    })
  )

  test.effect(
    "of desktops that are not configured any more are freed, but not while one of their workers reports",
    () =>
      Effect.gen(function* () {
        const runs = yield* TaskRuns
        const states = yield* DesktopStates
        const sql = yield* SqlClient.SqlClient
        const [owner] = yield* ownAll
        const old = yield* runs.own("http://removed:9990", "replica:1")
        const now = yield* DateTime.now
        yield* states.report(old, { seenAt: now, unreachableSince: null })
        yield* addTasks("stranded", 1, "PENDING")
        assert.isTrue(Option.isSome(yield* runs.claim(old)))
        if (owner === undefined) return
        yield* runs.leaveRemoved
        assert.isTrue(Option.isNone(yield* runs.claim(owner)))
        yield* sql`UPDATE "DesktopOwner" SET "updatedAt" = "updatedAt" - interval '5 minutes' WHERE "desktop" = ${old.desktop}`
        yield* runs.leaveRemoved
        const claim = yield* runs.claim(owner)
        assert.deepStrictEqual(
          Option.map(claim, ({ hasMoved, task }) => [task.id, hasMoved]),
          Option.some(["stranded1", true])
        )
        yield* sql`DELETE FROM "Task"`
      })
  )

  test.effect("that are over, or come later, are not read to find the next one", () =>
    Effect.gen(function* () {
      const runs = yield* TaskRuns
      const states = yield* DesktopStates
      const sql = yield* SqlClient.SqlClient
      const [owner] = yield* ownAll
      if (owner === undefined) return
      // In parts, as a statement has 7 s.
      for (const part of [1, 2, 3, 4, 5]) yield* addTasks(`over-${part}`, 20_000, "COMPLETED")
      yield* sql`
        INSERT INTO "TaskRun" ("taskId", "desktop", "epoch", "active", "createdAt", "updatedAt")
        SELECT "id", ${owner.desktop}, 1, FALSE, now(), now() FROM "Task"`
      yield* addTasks("due", 5_000, "PENDING")
      yield* sql`ANALYZE`

      const decode = (row: Readonly<Record<string, unknown>> | undefined) => ({
        read: Number(row?.read),
        looks: Number(row?.looks)
      })
      const statistics = Effect.map(
        sql`
          SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS read, sum(coalesce(idx_scan, 0)) AS looks
          FROM pg_stat_user_tables WHERE relname IN ('Task', 'TaskRun')`,
        (rows) => decode(rows[0])
      )
      // A session tells what it did at the end of a transaction, if that is asked for.
      const told = Effect.andThen(sql`SELECT pg_stat_force_next_flush()`, statistics)
      const before = yield* told
      for (let round = 0; round < 5; round++) {
        const claim = yield* runs.claim(owner)
        if (Option.isSome(claim)) {
          yield* runs.finish(claim.value.lease, { status: "COMPLETED", description: "ok" })
        }
        yield* runs.leave(owner)
        yield* runs.leaveRemoved
        yield* states.idleWithWork
        yield* states.toBeChecked
      }
      const after = yield* until(
        "the statistics are told",
        Effect.map(told, (now) => (now.looks >= before.looks + 5 ? now : undefined))
      )
      assert.isBelow(after.read - before.read, 1_000)
    })
  )
})
