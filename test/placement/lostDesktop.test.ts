import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { click, done, type Machine, machine, showDesktops, untilHeldBy, untilState } from "../desktops/DesktopsStage.ts"
import * as Anthropic from "../emulators/anthropic.ts"
import type { MessagesRequest } from "../emulators/anthropicRequest.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { makeReplica, untilShared } from "../support/Replicas.ts"
import { createTask, messagesOf, Stage, showTask, untilStatus } from "../support/Stage.ts"
import { migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

/** Two replicas with two desktops, `a` and `b`. */
const setUp = Effect.fnUntraced(function* (variables: Readonly<Record<string, string>> = {}) {
  const databaseUrl = yield* migrated
  const sql = yield* PgClient.make({ url: Redacted.make(databaseUrl) }).pipe(Effect.provide(Reactivity.layer))
  const model = yield* Anthropic.scoped()
  const a = yield* machine("a")
  const b = yield* machine("b")
  const replicas = yield* Effect.forEach([0, 1], () =>
    makeReplica({
      databaseUrl,
      decide: () => "pass",
      isOneOfMany: true,
      variables: {
        ANTHROPIC_API_KEY: "test-key",
        ANTHROPIC_BASE_URL: model.url,
        BYTEBOT_DESKTOP_BASE_URL: `a=${a.emulator().url},b=${b.emulator().url}`,
        ...variables
      }
    })
  )
  yield* Effect.forEach(replicas, ({ start }) => start)
  yield* untilShared(sql, replicas.length)
  const at = <A, E, R>({ url }: { readonly url: string }, effect: Effect.Effect<A, E, R>) =>
    Effect.provideService(effect, Stage, { url, sql, model, desktop: a.emulator() })
  /** What the replicas say, in their order. */
  const everywhere = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.forEach(replicas, (replica) => at(replica, effect))
  /** By the replica that does not drive the desktop. */
  const elsewhere = Effect.fnUntraced(function* (name: string) {
    const [desktops = []] = yield* everywhere(showDesktops)
    const owner = desktops.find((one) => one.name === name)?.owner
    const driver = replicas.find((replica) => replica.name === owner)
    const bystander = replicas.find((replica) => replica.name !== owner)
    if (driver === undefined || bystander === undefined) return yield* Effect.die(new Error(`nobody is ${owner}`))
    return { driver, bystander }
  })
  const asked = yield* Effect.fromNullishOr(replicas[0])
  return { model, a, b, asked, at, everywhere, elsewhere }
})

/**
 * A model that clicks `clicks` times and is done then. It keeps the last click to itself until it is told; whoever takes the task over may ask again.
 * A task called "another" is done at once.
 */
const clicker = (clicks: number) => {
  const asked = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const reply: Scripted<MessagesRequest> = async ({ messages }) => {
    const step = messages.filter(({ role }) => role === "assistant").length
    if (step >= clicks || JSON.stringify(messages[0]).includes("another")) return { content: [done] }
    if (step === clicks - 1) {
      asked.resolve()
      await released.promise
    }
    return { content: [click] }
  }
  return { reply, untilAsked: Effect.promise(() => asked.promise), release: () => released.resolve() }
}

const clicksOf = (machine: Machine) => machine.emulator().executed.filter(({ action }) => action === "click_mouse")

const untilError = (id: string) =>
  until(
    "the task says what it waits for",
    Effect.map(showTask(id), ({ error }) => error ?? undefined)
  )

it.live(
  "every replica tells of a desktop that is lost; its task waits, also for a replica that takes over, and goes on when it is back",
  () =>
    Effect.gen(function* () {
      const { a, asked, at, elsewhere, everywhere, model } = yield* setUp()
      const next = clicker(1)
      model.setDefault(next.reply)
      const id = yield* at(asked, createTask("patient", { desktop: "a" }))
      yield* next.untilAsked
      yield* a.switchOff
      const lost = yield* everywhere(untilState("a", "unreachable"))
      assert.deepStrictEqual(
        lost.map(({ taskId }) => taskId),
        [id, id]
      )
      next.release()
      const waiting = "Waiting for the desktop: a does not answer"
      assert.deepStrictEqual(yield* everywhere(untilError(id)), [waiting, waiting])

      const { bystander, driver } = yield* elsewhere("a")
      driver.process().signal("SIGKILL")
      yield* at(
        bystander,
        until(
          "the other one drives the desktop",
          Effect.map(showDesktops, (all) => all.find(({ name, owner }) => name === "a" && owner === bystander.name))
        )
      )
      assert.strictEqual((yield* at(bystander, untilState("a", "unreachable"))).taskId, id)
      assert.strictEqual((yield* at(bystander, showTask(id))).status, "RUNNING")

      yield* driver.start
      yield* a.switchOn
      yield* everywhere(untilStatus(id, "COMPLETED"))
      assert.lengthOf(clicksOf(a), 1)
      yield* everywhere(untilState("a", "idle"))
      const another = yield* at(driver, createTask("another", { desktop: "a" }))
      yield* everywhere(untilStatus(another, "COMPLETED"))
      assert.deepStrictEqual(model.rejected, [])
    }).pipe(Effect.scoped),
  120_000
)

it.live(
  "the task of a desktop that is lost goes on at one that another replica may drive",
  () =>
    Effect.gen(function* () {
      const { a, asked, at, b, elsewhere, everywhere, model } = yield* setUp({
        BYTEBOT_DESKTOP_LOST: "handover",
        BYTEBOT_DESKTOP_LOST_AFTER: "500"
      })
      const next = clicker(2)
      model.setDefault(next.reply)
      yield* everywhere(Effect.all([untilState("a", "idle"), untilState("b", "idle")]))
      const id = yield* at(asked, createTask("movable"))
      const name = yield* at(asked, untilHeldBy(id))
      const [left, taker] = name === "a" ? [a, b] : [b, a]
      yield* next.untilAsked
      yield* left.switchOff
      yield* everywhere(untilState(name, "unreachable"))
      next.release()
      yield* everywhere(untilStatus(id, "COMPLETED"))
      assert.isAtMost(clicksOf(taker).length, 1)
      const [messages] = yield* everywhere(messagesOf(id))
      assert.include(JSON.stringify(messages), "another desktop")

      yield* left.switchOn
      yield* everywhere(untilState(name, "idle"))
      const { bystander } = yield* elsewhere(name)
      const another = yield* at(bystander, createTask("another", { desktop: name }))
      yield* everywhere(untilStatus(another, "COMPLETED"))
      assert.deepStrictEqual(model.rejected, [])
    }).pipe(Effect.scoped),
  120_000
)
