import { randomUUID } from "node:crypto"
import { Context, Duration, Effect, Latch, Layer, Queue, Schedule, Schema, type Scope } from "effect"
import { Settings } from "../config/Settings.ts"
import { MessageDelta } from "../domain/MessageDelta.ts"
import type { TaskId } from "../domain/Task.ts"
import { untraced } from "../observability/TraceParent.ts"
import { Draft } from "./Draft.ts"
import { Notifications } from "./Notifications.ts"

/** How often a draft's new words are told: twenty times a second. */
const tick = Duration.millis(50)

/** Deltas that a watcher may lag behind; it loses those beyond, and sees so by their index. */
const queueCapacity = 128

/** A replica whose watchers want drafts says so that often, and is believed for that long (ms). */
const [announceEvery, believedFor] = [Duration.seconds(3), 10_000]

/** Deltas that wait to be told to other replicas; those beyond are lost to them. */
const outboxCapacity = 1_000

/** A delta, and the owner of its task; null: it has none. */
export const OwnedDelta = Schema.Struct({ ...MessageDelta.fields, userId: Schema.NullOr(Schema.String) })
export interface OwnedDelta extends Schema.Schema.Type<typeof OwnedDelta> {}

interface Watcher {
  readonly wants: (taskId: string) => boolean
  /** Whether there is anyone to watch at all. */
  readonly isWatching: () => boolean
}

/** What replicas tell each other of drafts, beside the pointers to events. Other versions take no notice of it. */
const Told = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ from: Schema.String, delta: OwnedDelta }),
    Schema.Struct({ from: Schema.String, isWatching: Schema.Literal(true) })
  ])
)
const decodeTold = Schema.decodeUnknownOption(Told)
const encodeTold = Schema.encodeSync(Told)

/**
 * The messages that models are writing, piece by piece, in this replica and, while they have watchers of drafts, in all others. Nothing is
 * stored, and nothing waits for watchers: a piece that one of them, or the way to another replica, has no room for is lost.
 */
export class Drafts extends Context.Service<
  Drafts,
  {
    /** A draft of the task's next message. When the scope closes, what was not kept is void. */
    readonly begin: (task: {
      readonly taskId: TaskId
      readonly userId: string | null
    }) => Effect.Effect<Draft, never, Scope.Scope>
    /** The deltas of the tasks that `wants` asks for, until the scope closes. */
    readonly watch: (watcher: Watcher) => Effect.Effect<Queue.Dequeue<OwnedDelta>, never, Scope.Scope>
    /** Takes what another replica may have told; `text` is a notification that is no pointer to an event. */
    readonly receive: (text: string) => void
  }
>()("bytebot/Drafts") {
  static readonly layer = Layer.effect(
    Drafts,
    Effect.gen(function* () {
      const { clusterEnabled } = yield* Settings
      const replica = randomUUID()
      const watchers = new Map<Watcher, Queue.Queue<OwnedDelta>>()
      const isWatched = () => [...watchers.keys()].some(({ isWatching }) => isWatching())
      const outbox = yield* Queue.dropping<string>(outboxCapacity)
      const wake = yield* Latch.make()
      const unsaid = new Set<Draft>()
      /** Until when another replica is believed to have watchers (UTC, ms). */
      let wantedElsewhereUntil = 0

      const tellHere = (delta: OwnedDelta): void => {
        for (const [{ wants }, queue] of watchers) if (wants(delta.taskId)) Queue.offerUnsafe(queue, delta)
      }
      const tell = (delta: OwnedDelta): void => {
        tellHere(delta)
        if (Date.now() < wantedElsewhereUntil) Queue.offerUnsafe(outbox, encodeTold({ from: replica, delta }))
      }

      const flushAll = Effect.sync(() => {
        wake.closeUnsafe()
        const drafts = [...unsaid]
        unsaid.clear()
        for (const draft of drafts) draft.flush()
      })
      yield* wake.await.pipe(
        Effect.andThen(flushAll),
        Effect.andThen(Effect.sleep(tick)),
        Effect.forever,
        untraced,
        Effect.forkScoped
      )
      const later = (draft: Draft): void => {
        unsaid.add(draft)
        wake.openUnsafe()
      }

      yield* Effect.forkScoped(untraced(sendFrom(outbox)))

      const announce = Effect.sync(() => {
        if (clusterEnabled && isWatched()) Queue.offerUnsafe(outbox, encodeTold({ from: replica, isWatching: true }))
      })
      yield* announce.pipe(Effect.repeat(Schedule.spaced(announceEvery)), Effect.forkScoped)

      return Drafts.of({
        begin: (task) =>
          Effect.acquireRelease(
            Effect.sync(() => new Draft((delta) => tell({ ...task, ...delta }), later)),
            (draft) => Effect.sync(() => draft.discard())
          ),
        watch: (watcher) =>
          Effect.acquireRelease(Queue.dropping<OwnedDelta>(queueCapacity), (queue) => {
            watchers.delete(watcher)
            return Queue.shutdown(queue)
          }).pipe(
            Effect.tap((queue) => Effect.sync(() => watchers.set(watcher, queue))),
            Effect.tap(announce)
          ),
        receive: (text) => {
          const told = decodeTold(text)
          if (told._tag === "None" || told.value.from === replica) return
          if ("delta" in told.value) tellHere(told.value.delta)
          else wantedElsewhereUntil = Date.now() + believedFor
        }
      })
    })
  )
}

/** Tells other replicas what is put into the outbox. */
const sendFrom = (outbox: Queue.Dequeue<string>) =>
  Effect.gen(function* () {
    const notifications = yield* Notifications
    let texts = yield* Queue.takeBetween(outbox, 1, outboxCapacity)
    const { every, send } = yield* notifications.sender
    for (;;) {
      yield* send(texts)
      yield* Effect.sleep(every)
      texts = yield* Queue.takeBetween(outbox, 1, outboxCapacity)
    }
  }).pipe(
    Effect.scoped,
    Effect.catch(({ message }) => Effect.logDebug("Other replicas miss a part of a draft", message)),
    Effect.andThen(Effect.sleep("1 second")),
    Effect.forever
  )
