import { Context, Effect, Layer, Schema } from "effect"
import * as Anthropic from "../emulators/anthropic.ts"
import * as Desktop from "../emulators/desktop.ts"
import type { ReplyBlock, Scripted } from "../emulators/modelReplies.ts"
import { Network } from "../support/Network.ts"
import { request } from "../support/RestClient.ts"
import { Stage } from "../support/Stage.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** A desktop that can be switched off, and the network before it, that can be cut. */
export interface Machine {
  readonly name: string
  readonly network: Network
  /** While it is on. */
  readonly emulator: () => Desktop.DesktopEmulator
  readonly switchOff: Effect.Effect<void>
  /** At the same address; it remembers nothing. */
  readonly switchOn: Effect.Effect<void>
}

/** Exists until the scope closes. */
export const machine = Effect.fnUntraced(function* (name: string) {
  let emulator = yield* Effect.promise(() => Desktop.start())
  let isOn = true
  const { port, url } = emulator
  const switchOff = Effect.promise(async () => {
    if (isOn) await emulator.close()
    isOn = false
  })
  yield* Effect.addFinalizer(() => switchOff)
  const switchOn = Effect.promise(async () => {
    if (!isOn) emulator = await Desktop.start({ port })
    isOn = true
  })
  const network = yield* Network.to(url)
  return { name, network, emulator: () => emulator, switchOff, switchOn } satisfies Machine
})

/** The real service with three desktops, `a`, `b` and `c`. */
export class Machines extends Context.Service<Machines, ReadonlyArray<Machine>>()("test/Machines") {
  /** `direct` ones are reached without the network that can be cut: switched off, they refuse connections. */
  static readonly layer = (variables: Readonly<Record<string, string>> = {}, isDirect = true) =>
    Layer.effectContext(
      Effect.gen(function* () {
        const model = yield* Anthropic.scoped()
        const machines = yield* Effect.forEach(["a", "b", "c"], machine)
        const service = yield* startService({
          ANTHROPIC_API_KEY: "test-key",
          ANTHROPIC_BASE_URL: model.url,
          BYTEBOT_DESKTOP_BASE_URL: machines
            .map(({ emulator, name, network }) => `${name}=${isDirect ? emulator().url : network.url}`)
            .join(","),
          ...variables
        })
        const [first] = machines
        const desktop = first === undefined ? yield* Desktop.scoped() : first.emulator()
        return Context.make(Machines, machines).pipe(Context.add(Stage, { ...service, model, desktop }))
      })
    )
}

export const machineNamed = (name: string) =>
  Effect.flatMap(Machines, (machines) => Effect.fromNullishOr(machines.find((one) => one.name === name)))

/** Deletes all tasks, switches all desktops on and waits until they are idle. */
export const reset = Effect.gen(function* () {
  const { model, sql, url } = yield* Stage
  const machines = yield* Machines
  for (const { id } of yield* sql<{ id: string }>`SELECT "id" FROM "Task"`)
    yield* request(url, "DELETE", `/tasks/${id}`)
  model.reset()
  for (const { emulator, network, switchOn } of machines) {
    network.accept()
    network.thaw()
    yield* switchOn
    emulator().reset()
  }
  for (const { name } of machines) yield* untilState(name, "idle")
})

const decodeDesktops = Schema.decodeUnknownSync(
  Schema.Array(
    Schema.Struct({
      name: Schema.String,
      url: Schema.String,
      state: Schema.String,
      taskId: Schema.NullOr(Schema.String),
      owner: Schema.NullOr(Schema.String),
      lastSeenAt: Schema.NullOr(Schema.String)
    })
  )
)

/** What GET /desktops says. */
export const showDesktops = Effect.gen(function* () {
  const { url } = yield* Stage
  return decodeDesktops((yield* request(url, "GET", "/desktops")).json)
})

/** Waits until the desktop has the state; the desktop then. */
export const untilState = (name: string, state: string) =>
  until(
    `${name} ${state}`,
    Effect.map(showDesktops, (all) => all.find((one) => one.name === name && one.state === state)),
    "40 seconds"
  )

/** The desktop that the task holds. */
export const untilHeldBy = (taskId: string) =>
  until(
    `${taskId} holds a desktop`,
    Effect.map(showDesktops, (all) => all.find((one) => one.taskId === taskId)?.name)
  )

/** A reply that the model gives when it is told to. */
export const held = (...content: ReadonlyArray<ReplyBlock>) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const reply: Scripted = async () => {
    await promise
    return { content: content.length === 0 ? [done] : content }
  }
  return { answer: () => resolve(), reply }
}

export const done: ReplyBlock = {
  type: "tool_use",
  name: "set_task_status",
  input: { status: "completed", description: "ok" }
}

export const click: ReplyBlock = {
  type: "tool_use",
  name: "computer_click_mouse",
  input: { button: "left", clickCount: 1 }
}
