import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Option, Schema, Stream } from "effect"
import { HttpServer } from "effect/http"
import * as Anthropic from "../../test/emulators/anthropic.ts"
import * as Desktop from "../../test/emulators/desktop.ts"
import type { Scripted } from "../../test/emulators/modelReplies.ts"
import { makeRestClient, makeRpcClient } from "../client/BytebotClient.ts"
import { Settings } from "../config/Settings.ts"
import * as Service from "../Service.ts"
import { print } from "./Output.ts"
import { eventLines, isEnd } from "./TaskText.ts"

/** The task of the demo was not completed. */
class DemoFailed extends Schema.TaggedError<DemoFailed>()("DemoFailed", { message: Schema.String }) {}

const call = (text: string, name: string, input: unknown): Scripted => ({
  content: [
    { type: "text", text },
    { type: "tool_use", name, input }
  ]
})

const replies: ReadonlyArray<Scripted> = [
  call("I look at the screen first.", "computer_screenshot", {}),
  call("I read the attached file.", "computer_read_file", { path: "/home/user/Desktop/greeting.txt" }),
  call("I open the editor.", "computer_application", { application: "vscode" }),
  call("I click into the document.", "computer_click_mouse", {
    coordinates: { x: 640, y: 480 },
    button: "left",
    clickCount: 1
  }),
  call("I type the greeting.", "computer_type_text", { text: "Hello from the file" }),
  call("Done.", "set_task_status", { status: "completed", description: "The greeting stands in the editor." })
]

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-demo-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

const payload = {
  description: "Write the greeting from the attached file into the editor",
  files: [
    {
      name: "greeting.txt",
      base64: Buffer.from("Hello from the file").toString("base64"),
      type: "text/plain",
      size: 19
    }
  ]
}

/** A real service on a free port, with a private database that is removed at the end, between the two emulators. */
const startService = Effect.fnUntraced(function* (modelUrl: string, desktopUrl: string) {
  const context = yield* Layer.build(
    Service.layer.pipe(
      Layer.provide(
        Settings.layerFrom({
          HOST: "127.0.0.1",
          PORT: "0",
          LOG_LEVEL: "warn",
          BYTEBOT_DATA_DIR: yield* temporaryFolder,
          BYTEBOT_SETTLE_DELAY: "100",
          ANTHROPIC_API_KEY: "emulated",
          ANTHROPIC_BASE_URL: modelUrl,
          BYTEBOT_DESKTOP_BASE_URL: desktopUrl
        })
      )
    )
  )
  return HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
})

/** `demo`: a task from its creation to COMPLETED, as a watcher sees it: the real service, with model and desktop emulated. */
export const demo = Effect.gen(function* () {
  yield* print("Model and desktop are emulated in this demo: no key, no desktop and no network are needed.\n")
  const model = yield* Anthropic.scoped()
  model.enqueue(...replies)
  const desktop = yield* Desktop.scoped()
  const url = yield* startService(model.url, desktop.url)
  yield* print(`The service listens on ${url}\nPOST /tasks ${JSON.stringify(payload)}\n`)

  const rest = yield* makeRestClient({ url })
  const rpc = yield* makeRpcClient({ url })
  const { id } = yield* rest.tasks.create({ payload })
  const last = yield* rpc.WatchTask({ id, after: "0" }).pipe(
    Stream.takeUntil(isEnd),
    Stream.tap((event) => Effect.forEach(eventLines(event), print, { discard: true })),
    Stream.runLast,
    Effect.timeout("60 seconds")
  )
  const ended = Option.getOrUndefined(last)
  if (ended?._tag !== "TaskUpdated" || ended.task.status !== "COMPLETED") {
    return yield* new DemoFailed({ message: "The demo's task was not completed; the lines above say why." })
  }
  yield* print(`\nTask ${id} is completed. The emulated desktop has this typed on it: "${desktop.typed()}"`)
}).pipe(Effect.scoped)
