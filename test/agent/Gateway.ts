import { Context, Effect, Layer } from "effect"
import type { Scripted } from "../emulators/modelReplies.ts"
import * as Proxy from "../emulators/proxy.ts"
import type { ChatRequest } from "../emulators/proxyRequest.ts"
import { reset, Stage } from "../support/Stage.ts"

/** An emulated OpenAI-compatible endpoint, and the service that is told its URL. */
export class Gateway extends Context.Service<Gateway, Proxy.ProxyEmulator>()("test/Gateway") {
  static readonly layer = (
    options: Proxy.ProxyOptions,
    settings: (url: string) => Readonly<Record<string, string>>,
    files?: Parameters<typeof Stage.layer>[1]
  ) =>
    Layer.unwrap(
      Effect.map(Proxy.scoped(options), (proxy) =>
        Layer.merge(Layer.succeed(Gateway, proxy), Stage.layer(settings(proxy.url), files))
      )
    )
}

/** The endpoint without anything that earlier tests left. */
export const start = Effect.gen(function* () {
  yield* reset
  const proxy = yield* Gateway
  proxy.reset()
  return proxy
})

/** An answer that calls tools. */
export const calling = (...uses: ReadonlyArray<readonly [name: string, input: unknown]>): Scripted => ({
  content: uses.map(([name, input]) => ({ type: "tool_use", name, input }))
})
/** The model of a task. */
export const model = (name: string) => ({ model: { provider: "proxy", name, title: name } })
export const roles = (body: ChatRequest | undefined) => body?.messages.map(({ role }) => role)
/** What the endpoint refused. */
export const errors = Effect.map(Gateway, ({ rejected }) => rejected.map(({ error }) => error))
