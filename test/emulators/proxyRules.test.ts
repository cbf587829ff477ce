import { assert, describe, it } from "@effect/vitest"
import { checkChatRequest } from "./proxyRequest.ts"
import { Rejection } from "./rejection.ts"

/** What the emulated proxy refuses, as Chat Completions does. */

const user = { role: "user", content: "hello" }
const call = (id: string) => ({ id, type: "function", function: { name: "look", arguments: "{}" } })
const asking = (...ids: ReadonlyArray<string>) => ({ role: "assistant", content: null, tool_calls: ids.map(call) })
const answer = (id: string, content: unknown = "done") => ({ role: "tool", tool_call_id: id, content })
const picture = (url: string) => ({ role: "user", content: [{ type: "image_url", image_url: { url } }] })
const png =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEUlEQVR4AWNoQAIMSOwG3BwAcFIYAZR/iKkAAAAASUVORK5CYII="

const problemOf = (messages: ReadonlyArray<unknown>, more: Readonly<Record<string, unknown>> = {}): string => {
  try {
    checkChatRequest({ model: "m", messages, ...more })
    return ""
  } catch (error) {
    return error instanceof Rejection ? error.message : String(error)
  }
}

describe("the emulated proxy", () => {
  it("takes what is right", () => {
    const system = { role: "system", content: [{ type: "text", text: "s", cache_control: { type: "ephemeral" } }] }
    const tools = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }]
    const messages = [system, user, asking("a", "b"), answer("b"), answer("a"), picture(png), asking("a"), answer("a")]
    assert.strictEqual(problemOf(messages, { tools, tool_choice: "auto" }), "")
  })

  const wrong: ReadonlyArray<readonly [string, ReadonlyArray<unknown>, RegExp]> = [
    ["no messages", [], /empty array/],
    ["a call without an answer", [user, asking("a", "b"), answer("a"), user], /did not have response messages: b/],
    ["a call without an answer at the end", [user, asking("a")], /no response messages/],
    ["an answer without a call", [user, answer("a")], /must be a response/],
    ["two answers to one call", [user, asking("a"), answer("a"), answer("a")], /must be a response/],
    ["two calls with one id", [user, asking("a", "a"), answer("a")], /unique/],
    ["a picture in an answer", [user, asking("a"), answer("a", picture(png).content)], /image_url/],
    ["a picture that is none", [picture("data:image/png;base64,AAAA")], /valid image/],
    ["a picture of another type", [picture("data:image/tiff;base64,AAAA")], /MIME type/],
    ["the assistant first", [{ role: "assistant", content: "hi" }, user], /begin with a user/],
    ["an unknown role", [{ role: "model", content: "x" }], /Invalid value: 'model'/],
    ["an unknown key", [{ ...user, thinking: "x" }], /Unknown parameter/],
    ["an empty assistant", [user, { role: "assistant", content: null }], /content or tool_calls/]
  ]
  it.each(wrong)("refuses %s", (_, messages, words) => {
    assert.match(problemOf(messages), words)
  })

  it("refuses parameters and tools that the API does not know", () => {
    assert.match(problemOf([user], { thinking: {} }), /Unknown parameter: 'thinking'/)
    assert.match(problemOf([user], { tools: [{ type: "function", name: "look" }] }), /Unknown parameter/)
  })
})
