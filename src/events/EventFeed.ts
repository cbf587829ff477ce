import { PgClient } from "@effect/sql-pg"
import { Clock, Context, Effect, Layer, Option, Schema, Stream } from "effect"
import { Logins } from "../auth/Logins.ts"
import { repeatable } from "../database/DatabaseRetry.ts"
import { Caller, type CallerIdentity } from "../domain/Caller.ts"
import type { MessageDelta } from "../domain/MessageDelta.ts"
import type { TaskId } from "../domain/Task.ts"
import { InvalidRequest, TaskNotFound } from "../domain/TaskErrors.ts"
import type { TaskEvent } from "../domain/TaskEvent.ts"
import { Stopping } from "../health/Stopping.ts"
import { Visibility } from "../tasks/Visibility.ts"
import { Drafts, type OwnedDelta } from "./Drafts.ts"
import { type EventTable, makeEventTable } from "./EventTable.ts"
import { FeedPosition } from "./FeedPosition.ts"
import { TaskEvents } from "./TaskEvents.ts"

/** Events that are read at once from what was missed; each may hold a screenshot of a megabyte. */
const pageSize = 32

/** Ids below the newest one that may belong to transactions under way when a watch begins. */
const openAtBegin = 100

/** An event, a piece of a message that is being written, or word that some events are gone for good. A watcher that comes back with `position` goes on from there. */
export type FeedItem =
  | { readonly _tag: "Event"; readonly position: string; readonly event: TaskEvent }
  | { readonly _tag: "Delta"; readonly position: string; readonly delta: MessageDelta }
  | { readonly _tag: "Gap"; readonly position: string }

/** One task, or all of the caller's; from now on, or from the position of an earlier item ("0": from the oldest kept). */
export interface Watch {
  readonly taskId?: TaskId | undefined
  readonly after?: string | undefined
  /** false: without the pieces of messages that are being written. */
  readonly deltas?: boolean | undefined
}

/** The caller's events as a stream: what was missed first, then what happens, without a gap and each once. */
export class EventFeed extends Context.Service<EventFeed>()("bytebot/EventFeed", {
  make: Effect.gen(function* () {
    const logins = yield* Logins
    const stopping = yield* Stopping
    const visibility = yield* Visibility
    const table = makeEventTable(yield* PgClient.PgClient)
    const itemsOf = makeItems(table, yield* TaskEvents)
    const drafts = yield* Drafts

    /** The position now. */
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
      if (Option.isNone(parsed)) return yield* new InvalidRequest({ message: "after: expected a position of the feed" })
      const position = parsed.value
      const isGone = position.newest > 0 && !(yield* repeatable(table.has(position.newest)))
      return { position, isGone }
    })

    /**
     * Ends with the login of the caller, with the service, and after its task was deleted. Fails when the watcher does not keep up, or
     * while the database is away; it can go on from the last position then.
     */
    const watch = Effect.fn("EventFeed.watch")(function* (wanted: Watch) {
      const caller = yield* Caller
      const { taskId } = wanted
      if (taskId !== undefined) {
        yield* Effect.annotateCurrentSpan({ "task.id": taskId })
        if (!(yield* visibility.ofTask(taskId))) return yield* new TaskNotFound({ id: taskId })
      }
      const { isGone, position } = yield* begin(wanted)
      const gap: Stream.Stream<FeedItem> = isGone
        ? Stream.succeed({ _tag: "Gap", position: position.toString() })
        : Stream.empty
      const events = itemsOf(wanted, caller, position)
      const items = wanted.deltas === false ? events : withDeltas(events, drafts, wanted, caller, position.toString())
      return Stream.concat(gap, items).pipe(
        Stream.interruptWhen(Effect.raceFirst(logins.untilEnded(caller.login), stopping.untilEnding))
      )
    })

    return { watch }
  })
}) {
  static readonly layer = Layer.effect(EventFeed, EventFeed.make)
}

const isFor =
  (taskId: TaskId | undefined, caller: CallerIdentity) =>
  (event: Pick<TaskEvent, "taskId" | "userId">): boolean =>
    (taskId === undefined || event.taskId === taskId) && (caller.seesAll || event.userId === caller.userId)

/** A delta has the position of the item before it: what comes after that is told again to a watcher that comes back. */
const withDeltas = <E>(
  items: Stream.Stream<FeedItem, E>,
  drafts: Drafts["Service"],
  { taskId }: Watch,
  caller: CallerIdentity,
  start: string
): Stream.Stream<FeedItem, E> => {
  const watcher = { wants: (id: string) => taskId === undefined || id === taskId, isWatching: () => true }
  const deltas = Stream.unwrap(Effect.map(drafts.watch(watcher), (queue) => Stream.fromQueue(queue))).pipe(
    Stream.filter(isFor(taskId, caller)),
    Stream.map(({ userId: _, ...delta }: OwnedDelta) => ({ _tag: "Delta", delta }) as const)
  )
  return Stream.merge(items, deltas, { haltStrategy: "left" }).pipe(
    Stream.mapAccum(
      () => start,
      (position, next): readonly [string, ReadonlyArray<FeedItem>] =>
        next._tag === "Delta" ? [position, [{ ...next, position }]] : [next.position, [next]]
    )
  )
}

/** The events behind the position that the caller may see, then those that are committed, as items. */
const makeItems =
  (table: EventTable, events: TaskEvents["Service"]) =>
  ({ taskId }: Watch, caller: CallerIdentity, position: FeedPosition) => {
    const isWanted = isFor(taskId, caller)

    // Positions count all events, also those that are not the caller's.
    const item = Effect.fnUntraced(function* (event: TaskEvent) {
      position.add(event.id, yield* Clock.currentTimeMillis)
      // The events of one task are committed in the order of their ids.
      const text = taskId === undefined ? position.toString() : String(event.id)
      return isWanted(event) ? [{ _tag: "Event", position: text, event } satisfies FeedItem] : []
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
          const found = ids.flatMap((id) => loaded.get(id) ?? [])
          return [found, ids.length < pageSize ? Option.none() : Option.some(undefined)] as const
        }).pipe(repeatable)

        // Also for a watch that begins now: the answer's headers are sent before this, and the client may act on them.
        const missed = Stream.paginate(undefined, () => page)
        const live = Stream.fromQueue(queue).pipe(Stream.filter(({ id }) => !sent.has(id)))
        return Stream.concat(missed, live).pipe(
          Stream.mapEffect(item),
          Stream.flattenIterable,
          Stream.takeUntil(({ event }) => taskId !== undefined && event.kind === "task_deleted")
        )
      })
    )
  }

/** Payloads as JSON text, encoded once for all watchers. */
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
