import { Duration, Effect, Layer, Predicate, Result } from "effect"
import { toolDefinitions } from "../agent/Tools.ts"
import { Settings } from "../config/Settings.ts"
import { pngImage, type ToolUseBlock, text, toolResult } from "../domain/ContentBlock.ts"
import * as ConfiguredModels from "../models/ConfiguredModels.ts"
import { type LanguageModel, LanguageModels, type ModelReply, type Turn } from "../models/LanguageModel.ts"
import type { Finding } from "./Findings.ts"

/** Questions that show whether a model can do the work, asked of the real endpoint as tasks ask it. They cost a few thousand tokens. */

/** A white screen of 1280 x 960 with a red square from (800, 400) to (960, 560). */
const picture =
  "iVBORw0KGgoAAAANSUhEUgAABQAAAAPAAQMAAABQEkY6AAAABlBMVEX////cFBTlJRwCAAAA/klEQVR42u3OMQEAAAgDoPUvrQW8PBUSkAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA8F4NBAUFBQUFBQUFBQUFBQUFBQUFBQUF" +
  "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFbwQBAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFhrllV0NUZ7LHQAAAAASUVORK5CYII="
const square = { left: 800, top: 400, right: 960, bottom: 560 }

const patience = Duration.minutes(5)

const system =
  "This is a test of a connection. You operate a desktop whose screen is 1280 pixels wide and 960 high. Do what the person asks, and nothing else."

const tools = toolDefinitions(["firefox"]).filter(({ name }) => name === "computer_click_mouse")

type Asked = Result.Result<ModelReply, string>

const ask = (language: LanguageModel, model: string, turns: ReadonlyArray<Turn>): Effect.Effect<Asked> =>
  language.generate({ model, system, turns, tools, toolChoice: "auto" }).pipe(
    Effect.timeout(patience),
    Effect.mapError((error) =>
      error._tag === "TimeoutError" ? `no answer within ${Duration.format(patience)}` : error.message
    ),
    Effect.result
  )

const wordsIn = ({ content }: ModelReply): string =>
  content
    .flatMap((block) => (block.type === "text" ? [block.text] : []))
    .join(" ")
    .trim()

const clickIn = ({ content }: ModelReply): ToolUseBlock | undefined =>
  content.filter((block) => block.type === "tool_use").find(({ name }) => name.includes("click_mouse"))

const quoted = (words: string): string => `"${words.length > 80 ? `${words.slice(0, 79)}…` : words}"`

const tokensOf = ({ usage }: ModelReply): string => `${usage.input} tokens in, ${usage.output} out`

const aboutText = (asked: Asked): Finding => {
  const what = "answers in words"
  if (Result.isFailure(asked)) return { what, ok: false, note: asked.failure }
  const words = wordsIn(asked.success)
  return words === ""
    ? { what, ok: false, note: "the answer has no words" }
    : { what, ok: true, note: `${quoted(words)} (${tokensOf(asked.success)})` }
}

const coordinatesOf = ({ input }: ToolUseBlock): { readonly x: number; readonly y: number } | undefined => {
  const given = Predicate.isObject(input) && "coordinates" in input ? input.coordinates : undefined
  const [x, y] = Predicate.isObject(given) && "x" in given && "y" in given ? [Number(given.x), Number(given.y)] : []
  return x === undefined || y === undefined || Number.isNaN(x + y) ? undefined : { x, y }
}

const aboutPicture = (asked: Asked): Finding => {
  const what = "sees a picture and calls a tool"
  if (Result.isFailure(asked)) return { what, ok: false, note: asked.failure }
  const click = clickIn(asked.success)
  if (click === undefined) {
    return {
      what,
      ok: false,
      note: `it called no tool, and said ${quoted(wordsIn(asked.success))}: such a model can't work`
    }
  }
  const at = coordinatesOf(click)
  if (at === undefined) return { what, ok: false, note: "it called the tool without coordinates" }
  const isInside = at.x >= square.left && at.x <= square.right && at.y >= square.top && at.y <= square.bottom
  const place = `clicked at ${at.x}, ${at.y}`
  return isInside
    ? { what, ok: true, note: `${place}, inside the square that it was asked for` }
    : {
        what,
        ok: false,
        note: `${place}; the square is at 800 to 960, 400 to 560: it does not see the picture, or counts in other units`
      }
}

const aboutResult = (asked: Asked): Finding => {
  const what = "goes on after the tool's result"
  if (Result.isFailure(asked)) return { what, ok: false, note: asked.failure }
  const { content } = asked.success
  return content.length === 0
    ? { what, ok: false, note: "the answer is empty" }
    : { what, ok: true, note: wordsIn(asked.success) === "" ? "with another call" : quoted(wordsIn(asked.success)) }
}

const askAll = Effect.fnUntraced(function* (language: LanguageModel, model: string) {
  const words = yield* ask(language, model, [{ role: "user", content: [text("Answer with one word: ready.")] }])
  const show: Turn = {
    role: "user",
    content: [
      text("Here is the screen. Click once with the left button at the middle of the red square."),
      pngImage(picture)
    ]
  }
  const seen = yield* ask(language, model, [show])
  const click = Result.isSuccess(seen) ? clickIn(seen.success) : undefined
  if (Result.isFailure(seen) || click === undefined) return [aboutText(words), aboutPicture(seen)]
  const { content } = seen.success
  const results = content.flatMap((block) =>
    block.type === "tool_use" ? [toolResult(block.id, [text("Tool executed successfully"), pngImage(picture)])] : []
  )
  const answer = [...results, text("Thank you. Say in one sentence what you see.")]
  const after = yield* ask(language, model, [show, { role: "assistant", content }, { role: "user", content: answer }])
  return [aboutText(words), aboutPicture(seen), aboutResult(after)]
})

/** What works of a model, given as provider/name, and what does not. */
export const examineModel = Effect.fn(
  function* (reference: string) {
    const [, provider = "", name = ""] = /^(\w+)\/(.+)$/.exec(reference) ?? []
    const languages = yield* LanguageModels
    const found = yield* Effect.result(languages.of(provider))
    if (name === "" || Result.isFailure(found)) {
      const why =
        name === ""
          ? "expected provider/name, with anthropic, openai, google or proxy"
          : Result.match(found, { onFailure: ({ message }) => message, onSuccess: () => "" })
      return [{ what: reference, ok: false, note: why }]
    }
    return yield* askAll(found.success, name)
  },
  Effect.provide(Layer.provide(ConfiguredModels.layer, Settings.layer))
)
