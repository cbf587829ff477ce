import { assert, it } from "@effect/vitest"
import { Effect, Layer, Queue, Stream } from "effect"
import { Logins } from "../../src/auth/Logins.ts"
import { Settings } from "../../src/config/Settings.ts"
import { Caller, everybody } from "../../src/domain/Caller.ts"
import { TaskId } from "../../src/domain/Task.ts"
import { Drafts } from "../../src/events/Drafts.ts"
import { EventFeed } from "../../src/events/EventFeed.ts"
import { Notifications } from "../../src/events/Notifications.ts"
import { TaskEvents } from "../../src/events/TaskEvents.ts"
import { Stopping } from "../../src/health/Stopping.ts"
import { Visibility } from "../../src/tasks/Visibility.ts"
import * as Write from "../events/EventWriter.ts"
import { TestDatabase } from "../support/TestDatabase.ts"

const feed = EventFeed.layer.pipe(
  Layer.provideMerge(TaskEvents.layer.pipe(Layer.provideMerge(Drafts.layer), Layer.provide(Notifications.postgres))),
  Layer.provide(Layer.mergeAll(Logins.off, Stopping.layer, Visibility.layer)),
  Layer.provide(Settings.layerFrom({})),
  Layer.provideMerge(TestDatabase.withClient)
)

it.live("a stream without a position has the events since its request was accepted", () =>
  Effect.gen(function* () {
    const { watch } = yield* EventFeed
    const id = TaskId.make(yield* Write.task())
    const committed = yield* Effect.flatMap(TaskEvents, ({ subscribe }) => subscribe(() => true))
    yield* Write.event(id, "before")
    yield* Queue.take(committed)
    const items = yield* Effect.provideService(watch({ taskId: id }), Caller, everybody)
    // By now the client has the headers of the answer, and may act.
    yield* Write.event(id, "between")
    yield* Queue.take(committed)
    const seen = yield* items.pipe(
      Stream.tap(() => Write.event(id, "after")),
      Stream.take(2),
      Stream.runCollect
    )
    assert.deepStrictEqual(
      seen.map((item) => (item._tag === "Event" ? item.event.payload : item._tag)),
      ["between", "after"]
    )
  }).pipe(Effect.scoped, Effect.timeout("20 seconds"), Effect.provide(feed))
)
