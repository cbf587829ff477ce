import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Option, Schema, Stream } from "effect"
import { HttpServer } from "effect/http"
import * as Anthropic from "../../test/emulators/anthropic.ts"
import * as Desktop from "../../test/emulators/desktop.ts"
import { makeRestClient, makeRpcClient } from "../client/BytebotClient.ts"
import { Settings } from "../config/Settings.ts"
import type { WatchedEvent } from "../domain/WatchedEvent.ts"
import * as Service from "../Service.ts"
import { demoTasks, otherReply } from "./DemoScript.ts"
import { openPage } from "./OpenPage.ts"
import { print } from "./Output.ts"
import { eventLines, isEnd } from "./TaskText.ts"

/** A task of the demo was not completed. */
class DemoFailed extends Schema.TaggedError<DemoFailed>()("DemoFailed", { message: Schema.String }) {}

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-demo-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

/** A real service, with a private database that is removed at the end, between the two emulators. */
const startService = Effect.fnUntraced(function* (modelUrl: string, desktopUrl: string) {
  const context = yield* Layer.build(
    Service.layer.pipe(
      Layer.provide(
        Settings.layerFrom({
          HOST: "127.0.0.1",
          PORT: "0",
          LOG_LEVEL: "warn",
          BYTEBOT_DATA_DIR: yield* temporaryFolder,
          BYTEBOT_SETTLE_DELAY: "300",
          ANTHROPIC_API_KEY: "emulated",
          ANTHROPIC_BASE_URL: modelUrl,
          BYTEBOT_DESKTOP_BASE_URL: desktopUrl
        })
      )
    )
  )
  return HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address).replace("127.0.0.1", "localhost")
})

const asksPerson = (event: WatchedEvent): boolean => event._tag === "TaskUpdated" && event.task.status === "NEEDS_HELP"

/**
 * `demo`: three tasks as a watcher sees them: the real service, with model and desktop emulated. It stays until Ctrl-C, for the console;
 * with `once` it answers the question itself and ends.
 */
export const demo = ({ once }: { readonly once: boolean }) =>
  Effect.gen(function* () {
    yield* print("Model and desktop are emulated in this demo: no key, no desktop and no network are needed.\n")
    const model = yield* Anthropic.scoped()
    for (const { description, replies } of demoTasks) model.script(description, ...replies)
    model.setDefault(otherReply)
    const desktop = yield* Desktop.scoped()
    const url = yield* startService(model.url, desktop.url)
    yield* print(`Watch and take over:  ${url}/console/\n`)
    if (!once) yield* openPage(`${url}/console/`)

    const rest = yield* makeRestClient({ url })
    const rpc = yield* makeRpcClient({ url })
    const answer = (id: Parameters<typeof rest.tasks.get>[0]["params"]["id"]) =>
      rest.messages
        .add({ params: { id }, payload: { message: "Six people, on Friday" } })
        .pipe(Effect.andThen(rest.tasks.resume({ params: { id } })))

    for (const { description } of demoTasks) {
      yield* print(`\nTask: ${description}`)
      const { id } = yield* rest.tasks.create({ payload: { description } })
      const last = yield* rpc.WatchTask({ id, after: "0" }).pipe(
        Stream.takeUntil((event) => isEnd(event) || (!once && asksPerson(event))),
        Stream.tap((event) => Effect.forEach(eventLines(event), print, { discard: true })),
        Stream.tap((event) => (once && asksPerson(event) ? answer(id) : Effect.void)),
        Stream.runLast,
        Effect.timeout("120 seconds")
      )
      const ended = Option.getOrUndefined(last)
      const isExpected =
        ended?._tag === "TaskUpdated" && (ended.task.status === "COMPLETED" || (!once && asksPerson(ended)))
      if (!isExpected) {
        return yield* new DemoFailed({ message: "A task of the demo was not completed; the lines above say why." })
      }
    }
    if (once) return yield* print("\nThe demo's tasks are completed.")
    yield* print(
      `\nThe last task waits for your answer: ${url}/console/\nThe demo goes on until Ctrl-C; its database is removed then.`
    )
    yield* Effect.never
  }).pipe(Effect.scoped)
