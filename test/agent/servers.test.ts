import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Scripted } from "../emulators/modelReplies.ts"
import { type ServerKind, serverKinds } from "../emulators/proxyServers.ts"
import { createTask, untilStatus } from "../support/Stage.ts"
import { errors, Gateway, model, start } from "./Gateway.ts"

/** Endpoints that want more than Chat Completions, each emulated with its own refusals (test/emulators/proxyServers.ts). */

const thinking = (...uses: ReadonlyArray<readonly [name: string, input: unknown]>): Scripted => ({
  content: [
    { type: "thinking", thinking: "hm" },
    ...uses.map(([name, input]) => ({ type: "tool_use" as const, name, input }))
  ]
})

/** What each refuses before it is known, once; the next task is spared that. */
const lessons: Readonly<Record<ServerKind, RegExp | undefined>> = {
  cerebras: /unsupported/,
  deepseek: undefined,
  gemini: undefined,
  kimi: undefined,
  litellm: undefined,
  mistral: /Unexpected role|extra_forbidden/,
  openrouter: undefined,
  vllm: /At most 4/
}

for (const server of serverKinds) {
  const lesson = lessons[server]
  layer(
    Gateway.layer({ server }, (url) => ({ BYTEBOT_LLM_PROXY_URL: url })),
    { timeout: "60 seconds", excludeTestServices: true }
  )(`an endpoint like ${server}`, (test) => {
    test.effect("gets back what it attached to its answers, and refuses nothing twice", () =>
      Effect.gen(function* () {
        const proxy = yield* start
        const look = ["computer_screenshot", {}] as const
        const click = ["computer_click_mouse", { coordinates: { y: 2, x: 1 }, clickCount: 1, button: "left" }] as const
        for (const attempt of ["first", "second"]) {
          proxy.enqueue(thinking(look, click), thinking(look, click), thinking(look, click))
          const id = yield* createTask(attempt, model("some-model"))
          yield* untilStatus(id, "COMPLETED")
          assert.strictEqual(proxy.pending(), 0)
        }
        const refused = yield* errors
        assert.isAtMost(refused.length, lesson === undefined ? 0 : 2, refused.join("\n"))
        for (const words of refused) assert.match(words ?? "", lesson ?? /nothing/)
      })
    )
  })
}
