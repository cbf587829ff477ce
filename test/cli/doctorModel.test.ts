import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Scripted } from "../emulators/modelReplies.ts"
import { runProgram } from "../support/Command.ts"
import { providers } from "../support/ModelProviders.ts"

/** `doctor --model` asks a model three small questions and says what works. */

const say = (text: string): Scripted => ({ content: [{ type: "text", text }] })
const click = (x: number, y: number): Scripted => ({
  content: [
    { type: "tool_use", name: "computer_click_mouse", input: { coordinates: { x, y }, button: "left", clickCount: 1 } }
  ]
})

const emulator = (provider: (typeof providers)[number], replies: ReadonlyArray<Scripted>) =>
  Effect.map(
    Effect.acquireRelease(Effect.promise(provider.start), ({ close }) => Effect.promise(close)),
    (started) => {
      started.enqueue(...replies)
      return started
    }
  )

const doctor = (provider: (typeof providers)[number], url: string, model = `${provider.name}/${provider.model}`) =>
  runProgram("cli/main", ["doctor", "--model", model], provider.settings(url))

it.live.each(providers)("doctor --model says that a model of $name works", (provider) =>
  Effect.gen(function* () {
    const model = yield* emulator(provider, [say("ready"), click(880, 480), say("A red square.")])
    const { code, stderr, stdout } = yield* doctor(provider, model.url)
    assert.strictEqual(code, 0, stdout + stderr)
    assert.match(stdout, /ok {3}answers in words: "ready" \(\d+ tokens in, \d+ out\)/)
    assert.match(stdout, /ok {3}sees a picture and calls a tool: clicked at 880, 480, inside the square/)
    assert.match(stdout, /ok {3}goes on after the tool's result: "A red square\."/)
    assert.deepStrictEqual(model.rejected, [])
    assert.lengthOf(model.requests, 3)
  }).pipe(Effect.scoped)
)

const [anthropic] = providers

it.live.each([
  [
    "calls no tool",
    say("I can't click."),
    /FIX {2}sees a picture and calls a tool: it called no tool, and said "I can't click\."/
  ],
  [
    "clicks beside the square",
    click(440, 240),
    /FIX {2}sees a picture.*clicked at 440, 240; the square is at 800 to 960/
  ]
] as const)("doctor --model says that a model %s, and ends with 1", ([, second, words]) =>
  Effect.gen(function* () {
    if (anthropic === undefined) return assert.fail("no provider")
    const model = yield* emulator(anthropic, [say("ready"), second, say("done")])
    const { code, stdout } = yield* doctor(anthropic, model.url)
    assert.strictEqual(code, 1)
    assert.match(stdout, words)
  }).pipe(Effect.scoped)
)

it.live("doctor --model tells the provider's words, a missing key, and what is no model", () =>
  Effect.gen(function* () {
    if (anthropic === undefined) return assert.fail("no provider")
    const refusal: Scripted = { status: 404, error: { type: "not_found_error", message: "model: claude-none" } }
    const model = yield* emulator(anthropic, [refusal, refusal])
    const refused = yield* doctor(anthropic, model.url)
    assert.strictEqual(refused.code, 1)
    assert.match(refused.stdout, /FIX {2}answers in words: .*model: claude-none/)
    const keyless = yield* doctor(anthropic, model.url, "openai/gpt-6.1-sol")
    assert.match(keyless.stdout, /FIX {2}openai\/gpt-6\.1-sol: The models of OpenAI need OPENAI_API_KEY/)
    const odd = yield* doctor(anthropic, model.url, "claude")
    assert.match(odd.stdout, /expected provider\/name/)
    assert.deepStrictEqual([keyless.code, odd.code], [1, 1])
  }).pipe(Effect.scoped)
)
