import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeRuntime } from "@effect/platform-node"
import { Context, Deferred, Effect, Layer, Schema } from "effect"
import { HttpServer } from "effect/http"
import { io } from "socket.io-client"
import { Settings } from "../src/config/Settings.ts"
import { Message } from "../src/domain/Message.ts"
import { Task } from "../src/domain/Task.ts"
import * as Service from "../src/Service.ts"
import * as Anthropic from "../test/emulators/anthropic.ts"
import type { Scripted } from "../test/emulators/modelReplies.ts"
import * as Desktop from "../test/emulators/desktop.ts"

/** A task from POST to COMPLETED, as a subscriber sees it: the real service, with model and desktop emulated. */

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

const say = (line: string) =>
  Effect.sync(() => {
    process.stdout.write(`${line}\n`)
  })

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-demo-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

const decodeMessage = Schema.decodeUnknownSync(Message)
const decodeTask = Schema.decodeUnknownSync(Task)

/** One line for a block: long base64 is shown by its size. */
const describe = (block: Schema.Json): string =>
  JSON.stringify(block, (_, value) =>
    typeof value === "string" && value.length > 120 ? `<${value.length} characters>` : value
  )

const demo = Effect.gen(function* () {
  yield* say("Model and desktop are emulated in this demo: no key, no desktop and no network are needed.\n")
  const model = yield* Anthropic.scoped()
  model.enqueue(...replies)
  const desktop = yield* Desktop.scoped()
  const folder = yield* temporaryFolder
  const context = yield* Layer.build(
    Service.layer.pipe(
      Layer.provide(
        Settings.layerFrom({
          HOST: "127.0.0.1",
          PORT: "0",
          LOG_LEVEL: "warn",
          BYTEBOT_DATA_DIR: folder,
          BYTEBOT_SETTLE_DELAY: "100",
          ANTHROPIC_API_KEY: "emulated",
          ANTHROPIC_BASE_URL: model.url,
          BYTEBOT_DESKTOP_BASE_URL: desktop.url
        })
      )
    )
  )
  const url = HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
  yield* say(`The service listens on ${url}`)

  const ended = yield* Deferred.make<string>()
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => io(url, { transports: ["websocket"] })),
    (client) => Effect.sync(() => client.disconnect())
  )
  socket.on("task_created", (payload: unknown) => {
    const task = decodeTask(payload)
    socket.emit("join_task", task.id)
    process.stdout.write(`task_created  ${task.status}  "${task.description}"\n`)
  })
  socket.on("new_message", (payload: unknown) => {
    const message = decodeMessage(payload)
    for (const block of message.content) process.stdout.write(`new_message   ${message.role}  ${describe(block)}\n`)
  })
  socket.on("task_updated", (payload: unknown) => {
    const task = decodeTask(payload)
    process.stdout.write(`task_updated  ${task.status}  ${JSON.stringify(task.result)}\n`)
    if (task.status === "COMPLETED") Deferred.doneUnsafe(ended, Effect.succeed(task.id))
  })
  yield* Effect.promise(() => new Promise<void>((resolve) => socket.once("connect", () => resolve())))

  const body = {
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
  yield* say(`POST /tasks ${JSON.stringify(body)}\n`)
  const response = yield* Effect.promise(() =>
    fetch(`${url}/tasks`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body)
    })
  )
  if (response.status !== 201) return yield* Effect.die(new Error(`POST /tasks answered ${response.status}`))
  const id = yield* Deferred.await(ended).pipe(Effect.timeout("60 seconds"))
  yield* say(`\nTask ${id} is completed. The emulated desktop has this typed on it: "${desktop.typed()}"`)
}).pipe(Effect.scoped)

NodeRuntime.runMain(demo)
