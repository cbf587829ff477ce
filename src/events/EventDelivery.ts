import { Array as Arr, Effect } from "effect"
import type { TaskEvent, TaskEventPointer } from "../domain/TaskEvent.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import type { EventTable } from "./EventTable.ts"
import type { Subscribers } from "./Subscribers.ts"

/** Events loaded by one statement. Each may hold a screenshot of a megabyte. */
const batchSize = 32

/**
 * How far below the newest id an event may still become visible. Ids are taken before the commit, so a slow transaction
 * shows its event after others with higher ids; nothing here keeps one open for as long as five thousand others take.
 */
const overlap = 5_000

/** Delivers committed events to the subscribers, each once and in the order given, also across connections to the database. */
export const makeDelivery = (table: EventTable, subscribers: Subscribers) => {
  const delivered = new Set<number>()
  let hasBegun = false
  let newest = 0
  const floor = () => Math.max(0, newest - overlap)

  const add = (id: number) => {
    delivered.add(id)
    newest = Math.max(newest, id)
    if (delivered.size > 2 * overlap) for (const old of delivered) if (old <= floor()) delivered.delete(old)
  }

  /** An event counts as delivered only when it was loaded. */
  const deliver = Effect.fnUntraced(function* (pointers: ReadonlyArray<TaskEventPointer>) {
    for (const batch of Arr.chunksOf(
      pointers.filter(({ id }) => !delivered.has(id)),
      batchSize
    )) {
      const deliveries = batch.map((pointer) => subscribers.address(pointer))
      const wanted = deliveries.flatMap((delivery) => (delivery.to.length === 0 ? [] : [delivery.pointer.id]))
      const events = wanted.length === 0 ? new Map<number, TaskEvent>() : yield* table.load(wanted)
      for (const { pointer, to: audience } of deliveries) {
        // Two replicas may have told of it, while one took over from the other.
        if (delivered.has(pointer.id)) continue
        const event = events.get(pointer.id)
        // An interruption can't come between the two: the event would be delivered again.
        if (event !== undefined) subscribers.deliver(event, audience)
        add(pointer.id)
        if (event !== undefined) yield* measure(metrics.events, audience.length, { kind: event.kind })
      }
    }
  })

  return {
    deliver,
    /** Takes the events that were committed before the first call as delivered. */
    begin: Effect.gen(function* () {
      if (hasBegun) return
      for (const id of yield* table.newestIds(overlap)) add(id)
      hasBegun = true
    }),
    /** Delivers what was committed without a notification. */
    catchUp: Effect.suspend(() => Effect.flatMap(table.after(floor()), deliver)),
    /** Whether the table has events that were not delivered. */
    isBehind: (committed: number) => committed > newest
  }
}
