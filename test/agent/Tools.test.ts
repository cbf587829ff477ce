import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { parseToolUse } from "../../src/agent/Tools.ts"

const parse = (name: string, input: Schema.Json) => parseToolUse({ id: "a", name, type: "tool_use", input })
const click = { coordinates: { x: 5, y: 6 }, button: "left", clickCount: 1 }

describe("the input of a tool", () => {
  const spellings: ReadonlyArray<readonly [string, Schema.Json]> = [
    ["numbers as texts", { coordinates: { x: "5", y: "6.0" }, button: "left", clickCount: "1" }],
    ["an object as text", { ...click, coordinates: '{"x":5,"y":6}' }],
    ["null for what is left out", { ...click, holdKeys: null }]
  ]
  for (const [what, input] of spellings) {
    it(`with ${what} is understood`, () => {
      assert.deepStrictEqual(parse("computer_click_mouse", input), parse("computer_click_mouse", click))
      assert.isTrue(Result.isSuccess(parse("computer_click_mouse", input)))
    })
  }

  it.prop(
    "keeps a text as it is, whatever it looks like",
    [Schema.Union([Schema.String, Schema.Literals(["5", "{}", "[1]"])])],
    ([text]) => {
      const parsed = Result.getOrThrow(parse("computer_type_text", { text }))
      assert.deepStrictEqual(parsed, {
        _tag: "Act",
        action: { action: "type_text", parameters: { text } },
        changes: "desktop"
      })
    }
  )

  for (const name of ["functions.computer_screenshot", "computer_screenshot<|channel|>commentary"]) {
    it(`is found under the name ${name}`, () => {
      assert.deepStrictEqual(Result.getOrThrow(parse(name, {})), { _tag: "Screenshot", changes: "nothing" })
    })
  }

  const point = { x: 1, y: 1 }
  const refused: ReadonlyArray<readonly [name: string, input: Schema.Json, words: RegExp]> = [
    ["computer_wait", { duration: 600_001 }, /600000[\s\S]*duration/],
    ["computer_wait", { duration: -1 }, /duration/],
    ["computer_click_mouse", { ...click, clickCount: 11 }, /clickCount/],
    ["computer_click_mouse", { ...click, coordinates: { x: 40_000, y: 0 } }, /coordinates.*x/],
    ["computer_scroll", { coordinates: point, direction: "up", scrollCount: 201 }, /scrollCount/],
    ["computer_drag_mouse", { button: "left", path: Array.from({ length: 1_001 }, () => point) }, /path/],
    ["computer_type_text", { text: "x".repeat(10_001) }, /text/],
    ["computer_type_text", { text: "x", delay: 1_001 }, /delay/],
    ["computer_type_keys", { keys: ["x".repeat(65)] }, /keys/],
    ["computer_paste_text", { text: "x".repeat(1_000_001) }, /text/],
    ["computer_read_file", { path: `/${"x".repeat(4_096)}` }, /path/],
    ["computer_read_file", { path: '/a"; reboot; "' }, /quotes[\s\S]*path/],
    [
      "create_task",
      { description: "x", scheduledFor: "+275760-09-13T00:00:00Z" },
      /years from 1 to 9999[\s\S]*scheduledFor/
    ],
    ["create_task", { description: "x".repeat(100_001) }, /description/],
    ["set_task_status", { status: "completed", description: "x".repeat(100_001) }, /description/],
    ["computer_click_mouse", "{coordinates", /not a JSON object but \{coordinates/],
    ["x".repeat(128), {}, /no tool named x/]
  ]
  for (const [name, input, words] of refused) {
    it(`of ${name.slice(0, 30)} that exceeds its bounds is refused, with the bound named: ${words.source}`, () => {
      const parsed = parse(name, input)
      assert.isTrue(Result.isFailure(parsed))
      if (Result.isFailure(parsed)) {
        assert.match(parsed.failure, words)
        assert.isBelow(parsed.failure.length, 1_500)
      }
    })
  }
})
