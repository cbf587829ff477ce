import { Cause, Effect, Queue, type Scope } from "effect"
import type { TaskEvent, TaskEventPointer } from "../domain/TaskEvent.ts"
import { SubscriberTooSlow } from "../domain/WatchedEvent.ts"

/** How many events a subscriber may lag behind. They are shared between subscribers, but each may hold a screenshot of a megabyte. */
const queueCapacity = 256

/** Whether the subscriber wants the event; asked before the event is loaded. */
export type Wants = (pointer: TaskEventPointer) => boolean

interface Subscriber {
  readonly wants: Wants
  readonly queue: Queue.Queue<TaskEvent, SubscriberTooSlow>
}

/** An event and the subscribers that want it. */
export interface Delivery {
  readonly pointer: TaskEventPointer
  readonly to: ReadonlyArray<Subscriber>
}

/** The subscribers of this process. */
export class Subscribers {
  private readonly all = new Set<Subscriber>()

  /** Adds a subscriber until the scope closes. */
  readonly add = (wants: Wants): Effect.Effect<Queue.Dequeue<TaskEvent, SubscriberTooSlow>, never, Scope.Scope> =>
    Effect.map(
      Effect.acquireRelease(
        Effect.map(Queue.dropping<TaskEvent, SubscriberTooSlow>(queueCapacity), (queue) => {
          const subscriber = { wants, queue }
          this.all.add(subscriber)
          return subscriber
        }),
        (subscriber) => {
          this.all.delete(subscriber)
          return Queue.shutdown(subscriber.queue)
        }
      ),
      ({ queue }) => queue
    )

  /** The subscribers that want the event. */
  address(pointer: TaskEventPointer): Delivery {
    return { pointer, to: [...this.all].filter((subscriber) => subscriber.wants(pointer)) }
  }

  /** Hands the event over without waiting: a subscriber with a full queue is cut off. */
  deliver(event: TaskEvent, to: Delivery["to"]): void {
    for (const subscriber of to) {
      if (!this.all.has(subscriber) || Queue.offerUnsafe(subscriber.queue, event)) continue
      this.all.delete(subscriber)
      Queue.failCauseUnsafe(subscriber.queue, Cause.fail(new SubscriberTooSlow({ capacity: queueCapacity })))
    }
  }
}
