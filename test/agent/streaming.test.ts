import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema, Stream } from "effect"
import { makeRpcClient } from "../../src/client/BytebotClient.ts"
import { TaskId } from "../../src/domain/Task.ts"
import { goldenDesktop } from "../emulators/golden.ts"
import { type DesktopEmulator, scoped as scopedDesktop } from "../emulators/desktop.ts"
import type { ModelEmulator } from "../emulators/modelEmulator.ts"
import type { MessageReply, ReplyBlock } from "../emulators/modelReplies.ts"
import { client, untilConnected } from "../socket/Clients.ts"
import { watch } from "../streams/Watcher.ts"
import { deltasIn, draftsOf } from "../support/Drafts.ts"
import { type Provider, providers } from "../support/ModelProviders.ts"
import { decodeTask, request } from "../support/RestClient.ts"
import { startService } from "../support/TestService.ts"
import { until } from "../support/Waiting.ts"

/** Messages reach watchers while a model writes them, with every provider; a stream that breaks leaves nothing behind. */

class World extends Context.Service<
  World,
  {
    readonly url: string
    readonly provider: Provider
    readonly model: ModelEmulator<unknown, unknown>
    readonly desktop: DesktopEmulator
  }
>()("test/StreamingWorld") {
  static readonly layer = (provider: Provider) =>
    Layer.effect(
      World,
      Effect.gen(function* () {
        const model = yield* Effect.acquireRelease(Effect.promise(provider.start), (emulator) =>
          Effect.promise(() => emulator.close())
        )
        const desktop = yield* scopedDesktop(goldenDesktop)
        const { url } = yield* startService({
          ...provider.settings(model.url),
          BYTEBOT_DESKTOP_BASE_URL: desktop.url,
          BYTEBOT_MODEL_SILENCE: "1500"
        })
        return { url, provider, model, desktop }
      })
    )
}

const done: ReplyBlock = {
  type: "tool_use",
  name: "set_task_status",
  input: { status: "completed", description: "done" }
}
const saying = (text: string, more: Partial<MessageReply> = {}): MessageReply => ({
  content: [{ type: "text", text }, done],
  ...more
})
const words = (name: string) => Array.from({ length: 40 }, (_, index) => `${name} ${index}`).join(", ")

const begin = Effect.fnUntraced(function* (description: string, model?: string) {
  const { provider, url } = yield* World
  const { json, status } = yield* request(url, "POST", "/tasks", {
    description,
    model: { provider: provider.name, name: model ?? provider.model }
  })
  assert.strictEqual(status, 201)
  return decodeTask(json).id
})

const untilStatus = Effect.fnUntraced(function* (id: string, status: string) {
  const { url } = yield* World
  yield* until(
    `${id} ${status}`,
    Effect.map(request(url, "GET", `/tasks/${id}`), ({ json }) =>
      decodeTask(json).status === status ? true : undefined
    )
  )
})

const Messages = Schema.Array(
  Schema.Struct({ role: Schema.String, content: Schema.Array(Schema.Record(Schema.String, Schema.Json)) })
)
const storedTexts = Effect.fnUntraced(function* (id: string) {
  const { url } = yield* World
  const { json } = yield* request(url, "GET", `/tasks/${id}/messages?limit=1000`)
  return Schema.decodeUnknownSync(Messages)(json)
    .filter(({ role }) => role === "ASSISTANT")
    .map(({ content }) => content.flatMap(({ text }) => (typeof text === "string" ? [text] : [])).join(""))
})

/** All deltas by Server-Sent Events. */
const watched = Effect.gen(function* () {
  const { url } = yield* World
  const { seen } = yield* watch(`${url}/events`)
  return (id: string) =>
    deltasIn(
      seen.filter(({ event }) => event === "message_delta").map(({ data }) => data),
      id
    )
})

const hasStopped = (id: string, text: string, deltas: (id: string) => ReadonlyArray<{ readonly text: string }>) =>
  until(
    `a part of "${text}" is told`,
    Effect.sync(() => (deltas(id).length > 0 ? true : undefined))
  )

for (const provider of providers) {
  layer(World.layer(provider), { timeout: "60 seconds", excludeTestServices: true })(
    `streaming, ${provider.name}`,
    (test) => {
      test.effect("the pieces of a message reach watchers, and joined they are what is stored", () =>
        Effect.gen(function* () {
          const { model, url } = yield* World
          model.reset()
          const deltas = yield* watched
          const sockets = [
            yield* client(url, { transports: ["websocket"], auth: { deltas: true } }),
            yield* client(url, { transports: ["websocket"] })
          ]
          const rpc = yield* makeRpcClient({ url })
          const byRpc: Array<unknown> = []
          yield* rpc.WatchTasks({}).pipe(
            Stream.runForEach((event) => Effect.sync(() => byRpc.push(event))),
            Effect.forkScoped
          )
          // The sockets join while the first answer is held back.
          const { promise: joined, resolve: go } = Promise.withResolvers<void>()
          const said = words("piece")
          model.enqueue(async () => {
            await joined
            return {
              content: [{ type: "thinking", thinking: "So I look first." }, { type: "text", text: said }, done],
              chunkDelayMs: 2
            }
          })
          const id = yield* begin("tell what you write")
          for (const socket of sockets) {
            yield* untilConnected(socket)
            yield* Effect.promise(() => socket.socket.emitWithAck("join_task", id))
          }
          yield* Effect.promise(() => model.waitForRequest(1))
          go()
          yield* untilStatus(id, "COMPLETED")
          assert.deepStrictEqual(yield* storedTexts(id), [said])
          const bySocket = sockets.map(({ received }) =>
            received.filter(([event]) => event === "message_delta").map(([, delta]) => delta)
          )
          for (const told of [deltas(id), deltasIn(byRpc, id), deltasIn(bySocket[0] ?? [], id)]) {
            assert.deepStrictEqual(
              draftsOf(told).map(({ text }) => text),
              [said]
            )
            // Twenty times a second at most, and not each event of the provider.
            assert.isBelow(told.length, said.length / 16)
          }
          assert.deepStrictEqual(bySocket[1], [])
          assert.deepStrictEqual(model.rejected, [])
        }).pipe(Effect.scoped)
      )

      test.effect("a provider that falls silent in the middle is asked again, and its draft is void", () =>
        Effect.gen(function* () {
          const { model } = yield* World
          model.reset()
          const deltas = yield* watched
          model.enqueue(saying(words("in vain"), { stopAfter: { events: 12, ending: "hang" } }), saying(words("again")))
          const id = yield* begin("fall silent")
          yield* hasStopped(id, "in vain", deltas)
          assert.isTrue(deltas(id)[0]?.text.startsWith("in vain 0"))
          assert.isNull(model.requests[0]?.endedAt)
          yield* untilStatus(id, "COMPLETED")
          assert.isTrue(model.requests[0]?.aborted)
          assert.deepStrictEqual(yield* storedTexts(id), [words("again")])
          assert.deepStrictEqual(
            draftsOf(deltas(id)).map(({ text }) => text),
            [words("again")]
          )
          const voided = deltas(id).findIndex(({ text }) => text === "")
          assert.deepStrictEqual(deltas(id)[voided], { taskId: TaskId.make(id), index: 0, kind: "text", text: "" })
        }).pipe(Effect.scoped)
      )

      for (const ending of ["drop", "end", "garbage", { type: "overloaded_error", message: "Overloaded" }] as const) {
        const name = typeof ending === "string" ? ending : "an error"
        test.effect(`a stream that ends with ${name} is asked for again, and nothing of it is stored`, () =>
          Effect.gen(function* () {
            const { model } = yield* World
            model.reset()
            const deltas = yield* watched
            model.enqueue(saying(words("in vain"), { stopAfter: { events: 12, ending } }), saying("at last"))
            const id = yield* begin(`break by ${name}`)
            yield* untilStatus(id, "COMPLETED")
            assert.deepStrictEqual(yield* storedTexts(id), ["at last"])
            assert.deepStrictEqual(
              draftsOf(deltas(id)).map(({ text }) => text),
              ["at last"]
            )
            assert.strictEqual(model.requests.length, 2)
          }).pipe(Effect.scoped)
        )
      }

      for (const command of ["cancel", "takeover"] as const) {
        test.effect(`a ${command} closes the stream at once, and the draft is void`, () =>
          Effect.gen(function* () {
            const { model, url } = yield* World
            model.reset()
            const deltas = yield* watched
            model.enqueue(saying(words("cut off"), { stopAfter: { events: 12, ending: "hang" } }))
            const id = yield* begin(command)
            yield* hasStopped(id, "cut off", deltas)
            assert.strictEqual((yield* request(url, "POST", `/tasks/${id}/${command}`)).status, 200)
            yield* Effect.promise(() => model.waitFor(([first]) => first?.aborted === true))
            yield* until(
              "the draft is void",
              Effect.sync(() => (draftsOf(deltas(id)).length === 0 ? true : undefined))
            )
            assert.deepStrictEqual(yield* storedTexts(id), [])
            yield* request(url, "DELETE", `/tasks/${id}`)
          }).pipe(Effect.scoped)
        )
      }

      test.effect("a gateway that answers at once although it was asked to stream is understood", () =>
        Effect.gen(function* () {
          const { model } = yield* World
          model.reset()
          model.enqueue(saying("at once", { streams: false }))
          const id = yield* begin("answer at once")
          yield* untilStatus(id, "COMPLETED")
          assert.deepStrictEqual(yield* storedTexts(id), ["at once"])
          assert.strictEqual(model.requests.length, 1)
        })
      )

      test.effect("a server that refuses to stream is asked without, from then on", () =>
        Effect.gen(function* () {
          const { model } = yield* World
          model.reset()
          const isStreamed = ({ body, url }: (typeof model.requests)[number]) =>
            url.includes(":streamGenerateContent") || JSON.stringify(body).includes('"stream":true')
          model.setDefault(saying("without a stream"))
          model.enqueue({
            status: 400,
            error: { type: "invalid_request_error", message: "This model does not support streaming." }
          })
          const other = `${provider.model}-2`
          for (const round of [1, 2]) {
            const id = yield* begin(`refuse ${round}`, other)
            yield* untilStatus(id, "COMPLETED")
          }
          assert.deepStrictEqual(model.requests.map(isStreamed), [true, false, false])
        })
      )
    }
  )
}
