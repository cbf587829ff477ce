import { Effect, Schema } from "effect"
import { io } from "socket.io-client"
import { request } from "../../test/support/RestClient.ts"
import { until } from "../../test/support/Waiting.ts"

/** A mixed load of bounded rate: what people, their pages and their scripts do in an hour, in a few minutes. */

/** The model keeps a task with these words waiting until it is broken off. */
export const hanging = "wait for me"

const decodeTask = Schema.decodeUnknownSync(
  Schema.Struct({ id: Schema.String, status: Schema.String, control: Schema.String })
)

export interface Done {
  created: number
  deleted: number
  completed: number
  requests: number
  events: number
  readonly failures: Array<string>
}

export const makeLoad = (url: string) => {
  const done: Done = { created: 0, deleted: 0, completed: 0, requests: 0, events: 0, failures: [] }
  const recent: Array<string> = []
  const recentId = (): string => recent[Math.floor(Math.random() * recent.length)] ?? ""

  const call = Effect.fnUntraced(function* (method: string, path: string, body?: unknown) {
    const { json, status } = yield* request(url, method, path, body)
    done.requests++
    if (status >= 400) done.failures.push(`${method} ${path}: ${status} ${JSON.stringify(json)}`)
    return json
  })
  const read = Effect.fnUntraced(function* (path: string) {
    const response = yield* Effect.promise(() =>
      fetch(`${url}${path}`).then(async (answer) => ({
        status: answer.status,
        bytes: (await answer.arrayBuffer()).byteLength
      }))
    )
    done.requests++
    if (response.status >= 400 || response.bytes === 0) done.failures.push(`GET ${path}: ${response.status}`)
  })

  const create = Effect.fnUntraced(function* (description: string, more: Readonly<Record<string, string>> = {}) {
    const { id } = decodeTask(yield* call("POST", "/tasks", { description, ...more }))
    done.created++
    recent.push(id)
    if (recent.length > 20) recent.shift()
    return id
  })
  const remove = Effect.fnUntraced(function* (id: string) {
    const index = recent.indexOf(id)
    if (index >= 0) recent.splice(index, 1)
    yield* call("DELETE", `/tasks/${id}`)
    done.deleted++
  })
  const stands = (id: string, what: string, isSo: (task: ReturnType<typeof decodeTask>) => boolean) =>
    until(
      `task ${id} ${what}`,
      Effect.map(call("GET", `/tasks/${id}`), (json) => (isSo(decodeTask(json)) ? true : undefined)).pipe(
        Effect.delay("100 millis")
      ),
      "30 seconds"
    )

  const work = Effect.gen(function* () {
    const id = yield* create("a few steps")
    yield* call("POST", `/tasks/${id}/messages`, { message: "Mind the gap." })
    yield* stands(id, "is completed", ({ status }) => status === "COMPLETED")
    done.completed++
    yield* read(`/tasks/${id}/messages/processed?limit=100`)
  }).pipe(Effect.delay("200 millis"))

  const cancel = Effect.gen(function* () {
    const id = yield* create(hanging)
    yield* stands(id, "runs", ({ status }) => status === "RUNNING")
    yield* call("POST", `/tasks/${id}/cancel`)
    yield* remove(id)
  }).pipe(Effect.delay("500 millis"))

  const takeOver = Effect.gen(function* () {
    const id = yield* create(hanging)
    yield* stands(id, "runs", ({ status }) => status === "RUNNING")
    yield* call("POST", `/tasks/${id}/takeover`)
    yield* stands(id, "is the user's", ({ control }) => control === "USER")
    yield* call("POST", `/tasks/${id}/messages`, { message: "Go on from here." })
    yield* call("POST", `/tasks/${id}/resume`)
    yield* stands(id, "runs again", ({ control, status }) => control === "ASSISTANT" && status === "RUNNING")
    yield* call("POST", `/tasks/${id}/cancel`)
  }).pipe(Effect.delay("700 millis"))

  const change = Effect.gen(function* () {
    const id = yield* create("later", { scheduledFor: new Date(Date.now() + 5_000).toISOString() })
    yield* call("PATCH", `/tasks/${id}`, { priority: "HIGH" })
    yield* remove(id)
  }).pipe(Effect.delay("400 millis"))

  const paths = [
    "/tasks?limit=10",
    "/tasks/in-progress",
    "/tasks?status=COMPLETED&limit=5",
    "/tasks/models",
    "/desktops",
    "/metrics",
    "/health"
  ]
  const browse = Effect.suspend(() => read(paths[Math.floor(Math.random() * paths.length)] ?? "/tasks")).pipe(
    Effect.delay("40 millis")
  )

  const someTime = Effect.suspend(() => Effect.sleep(500 + Math.random() * 2_500))

  const listen = Effect.acquireUseRelease(
    Effect.sync(() => {
      const socket = io(url, { transports: ["websocket"], forceNew: true, reconnection: false })
      socket.on("connect", () => socket.emit("join_task", recentId()))
      socket.on("connect_error", (error) => done.failures.push(`Socket.IO: ${error.message}`))
      socket.onAny(() => {
        done.events++
      })
      return socket
    }),
    () => someTime,
    (socket) => Effect.sync(() => socket.disconnect())
  )

  const stream = Effect.gen(function* () {
    const controller = new AbortController()
    const reading = fetch(`${url}/events`, { signal: controller.signal }).then(async ({ body, status }) => {
      if (status !== 200 || body === null) throw new Error(`GET /events: ${status}`)
      for await (const _ of body) done.events++
    })
    const ended = reading.catch((error: unknown) => {
      if (!controller.signal.aborted) done.failures.push(String(error))
    })
    yield* someTime
    controller.abort()
    yield* Effect.promise(() => ended)
  })

  const activities = [
    work,
    work,
    cancel,
    takeOver,
    change,
    browse,
    browse,
    ...Array.from({ length: 6 }, () => listen),
    ...Array.from({ length: 4 }, () => stream)
  ]

  /** Goes on for so many milliseconds, and ends what it has begun. */
  const run = (milliseconds: number) =>
    Effect.suspend(() => {
      const end = performance.now() + milliseconds
      const repeated = (activity: (typeof activities)[number]) =>
        Effect.gen(function* () {
          while (performance.now() < end) yield* activity
        })
      return Effect.forEach(activities, repeated, { concurrency: "unbounded", discard: true })
    })
  return { done, run }
}
