import { PgClient } from "@effect/sql-pg"
import { Clock, Context, Effect, Layer, Option, Schema, Stream } from "effect"
import { Logins } from "../auth/Logins.ts"
import { repeatable } from "../database/DatabaseRetry.ts"
import { Caller } from "../domain/Caller.ts"
import type { TaskId } from "../domain/Task.ts"
import { type DatabaseUnavailable, InvalidRequest, TaskNotFound } from "../domain/TaskErrors.ts"
import type { TaskEvent } from "../domain/TaskEvent.ts"
import type { SubscriberTooSlow } from "../domain/WatchedEvent.ts"
import { Stopping } from "../health/Stopping.ts"
import { Visibility } from "../tasks/Visibility.ts"
import * as EventTable from "./EventTable.ts"
import { FeedPosition } from "./FeedPosition.ts"
import { TaskEvents } from "./TaskEvents.ts"

/** Events that are read at once from what was missed; each may hold a screenshot of a megabyte. */
const pageSize = 32

/** Ids below the newest one that may belong to transactions under way when somebody begins to watch. */
const openAtBegin = 100

/** What a watcher gets: an event, or word that some are gone for good. `position` is what it comes back with to go on from there. */
export type FeedItem =
  | { readonly _tag: "Event"; readonly position: string; readonly event: TaskEvent }
  | { readonly _tag: "Gap"; readonly position: string }

/** What somebody wants to watch: one task or all that are theirs, from now on or from a position that an earlier item had ("0": from the oldest kept). */
export interface Watch {
  readonly taskId?: TaskId | undefined
  readonly after?: string | undefined
}

/** The caller's events as a stream: what was missed first, then what happens, without a gap and each once. */
export class EventFeed extends Context.Service<
  EventFeed,
  {
    /**
     * Ends with the login of the caller, with the service, and after its task was deleted. Fails when the watcher does not keep up, or
     * while the database is away; it can go on from the last position then.
     */
    readonly watch: (
      watch: Watch
    ) => Effect.Effect<
      Stream.Stream<FeedItem, SubscriberTooSlow | DatabaseUnavailable>,
      TaskNotFound | InvalidRequest | DatabaseUnavailable,
      Caller
    >
  }
>()("bytebot/EventFeed") {
  static readonly layer = Layer.effect(
    EventFeed,
    Effect.gen(function* () {
      const events = yield* TaskEvents
      const logins = yield* Logins
      const stopping = yield* Stopping
      const visibility = yield* Visibility
      const table = EventTable.make(yield* PgClient.PgClient)

      /** Where somebody begins who names no position: now. */
      const present = Effect.gen(function* () {
        const ids = yield* repeatable(table.newestIds(openAtBegin))
        const newest = ids.at(-1) ?? 0
        const there = new Set(ids)
        const open: Array<number> = []
        for (let id = Math.max(1, newest - openAtBegin); id < newest; id++) if (!there.has(id)) open.push(id)
        return new FeedPosition(newest, open, yield* Clock.currentTimeMillis)
      })

      const begin = Effect.fnUntraced(function* ({ after }: Watch) {
        if (after === undefined) return { position: yield* present, isGone: false }
        const parsed = FeedPosition.parse(after, yield* Clock.currentTimeMillis)
        if (Option.isNone(parsed))
          return yield* new InvalidRequest({ message: "after: expected a position of the feed" })
        const position = parsed.value
        const isGone = position.newest > 0 && !(yield* repeatable(table.has(position.newest)))
        return { position, isGone }
      })

      const watch = Effect.fn("EventFeed.watch")(function* (wanted: Watch) {
        const caller = yield* Caller
        const { taskId } = wanted
        if (taskId !== undefined) {
          yield* Effect.annotateCurrentSpan({ "task.id": taskId })
          if (!(yield* visibility.ofTask(taskId))) return yield* new TaskNotFound({ id: taskId })
        }
        const { isGone, position } = yield* begin(wanted)
        const isWanted = (event: TaskEvent) =>
          (taskId === undefined || event.taskId === taskId) && (caller.seesAll || event.userId === caller.userId)

        const item = Effect.fnUntraced(function* (event: TaskEvent) {
          position.add(event.id, yield* Clock.currentTimeMillis)
          // The events of one task are committed in the order of their ids.
          const text = taskId === undefined ? position.toString() : String(event.id)
          return { _tag: "Event", position: text, event } satisfies FeedItem
        })

        return Stream.unwrap(
          Effect.gen(function* () {
            // Listens first and reads what was missed then, so that there is no moment in between.
            const queue = yield* events.subscribe((pointer) => taskId === undefined || pointer.taskId === taskId)
            const sent = new Set<number>()
            let missing = position.missing
            let reached = position.newest

            const page = Effect.gen(function* () {
              const ids = yield* table.missed({ newest: reached, missing, taskId, caller, limit: pageSize })
              const loaded = ids.length === 0 ? new Map<number, TaskEvent>() : yield* table.load(ids)
              reached = Math.max(reached, ids.at(-1) ?? 0)
              missing = []
              for (const id of ids) sent.add(id)
              return { found: ids.flatMap((id) => loaded.get(id) ?? []), isLast: ids.length < pageSize }
            }).pipe(repeatable)

            // Also for those who begin now: the answer's headers are sent before this, and the client may act on them.
            const missed = Stream.paginate(undefined, () =>
              Effect.map(page, ({ found, isLast }) => [found, isLast ? Option.none() : Option.some(undefined)] as const)
            )
            const live = Stream.fromQueue(queue).pipe(Stream.filter(({ id }) => !sent.has(id)))
            const gap: Stream.Stream<FeedItem> = isGone
              ? Stream.succeed({ _tag: "Gap", position: position.toString() })
              : Stream.empty
            const all = Stream.concat(missed, live).pipe(
              // Positions count all events, also those that are not the caller's.
              Stream.mapEffect((event) => Effect.map(item(event), (next) => ({ next, isWanted: isWanted(event) }))),
              Stream.filter(({ isWanted }) => isWanted),
              Stream.map(({ next }): FeedItem => next),
              Stream.takeUntil(
                (next) => next._tag === "Event" && taskId !== undefined && next.event.kind === "task_deleted"
              )
            )
            return Stream.concat(gap, all)
          })
        ).pipe(Stream.interruptWhen(Effect.raceFirst(logins.untilEnded(caller.login), stopping.untilEnding)))
      })

      return EventFeed.of({ watch })
    })
  )
}

/** As the wire shows it, made once for all who watch. */
const encoded = new WeakMap<TaskEvent, string>()
const encodeJson = Schema.encodeSync(Schema.fromJsonString(Schema.Json))

/** The event's payload as JSON text, byte for byte as Socket.IO's clients get it. */
export const payloadText = (event: TaskEvent): string => {
  const known = encoded.get(event)
  if (known !== undefined) return known
  const text = encodeJson(event.payload)
  encoded.set(event, text)
  return text
}
