import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, DateTime, Schema } from "effect"
import { MessageGroup } from "../../src/api/MessagesApi.ts"
import { type Message, MessageId } from "../../src/domain/Message.ts"
import { Role, TaskId } from "../../src/domain/Task.ts"
import { processedWriter } from "../../src/messages/MessagePage.ts"

const at = DateTime.makeUnsafe("2026-01-01T00:00:00.000Z")

const message = (id: string, role: Role, content: ReadonlyArray<Schema.Json>): Message => ({
  id: MessageId.make(id),
  content,
  role,
  createdAt: at,
  updatedAt: at,
  taskId: TaskId.make("t"),
  summaryId: null
})

const decodeGroups = Schema.decodeSync(Schema.fromJsonString(Schema.Array(MessageGroup)))

const groupMessages = (messages: ReadonlyArray<Message>) => {
  const writer = processedWriter()
  const date = new Date(DateTime.toEpochMillis(at))
  const rows = messages.map((one) => ({ ...one, createdAt: date, updatedAt: date, size: 0 }))
  return decodeGroups(writer.add(rows) + writer.end())
}

const text = { type: "text", text: "x" }
const result = { type: "tool_result", tool_use_id: "1", content: [] }
const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AA" } }
const click = { type: "tool_use", id: "1", name: "computer_click_mouse", input: {} }
const otherTool = { type: "tool_use", id: "2", name: "set_task_status", input: {} }
const action = { type: "user_action", content: [image, click, otherTool, "odd"] }
const emptyAction = { type: "user_action" }

describe("Processed messages", () => {
  it("processed messages show results of tools on the agent's side", () => {
    const [group, ...others] = groupMessages([
      message("1", "USER", [result, result]),
      message("2", "ASSISTANT", [text])
    ])
    assert.deepStrictEqual(others, [])
    assert.strictEqual(group?.role, "ASSISTANT")
    assert.deepStrictEqual(
      group?.messages.map(({ role }) => role),
      ["ASSISTANT", "ASSISTANT"]
    )
  })

  it("processed messages show the user's actions on the agent's side, in a group of their own", () => {
    const groups = groupMessages([
      message("1", "ASSISTANT", [text]),
      message("2", "USER", [action, action, emptyAction])
    ])
    assert.deepStrictEqual(
      groups.map(({ role, take_over }) => [role, take_over]),
      [
        ["ASSISTANT", false],
        ["ASSISTANT", true]
      ]
    )
    assert.deepStrictEqual(groups[1]?.messages[0]?.content, [click, click])
  })

  it("processed messages leave mixed messages unchanged", () => {
    for (const content of [
      [result, text],
      [action, text],
      [action, result],
      [text, null, "odd", 5, []]
    ]) {
      const one = message("1", "USER", content)
      assert.deepStrictEqual(groupMessages([one]), [{ role: "USER", messages: [one], take_over: false }])
    }
  })

  const blocks = Schema.Literals(["text", "result", "action", "emptyAction", "image"])
  const block = { text, result, action, emptyAction, image }
  const messages = Arbitrary.array(
    Arbitrary.schema(Schema.Struct({ role: Role, blocks: Schema.Array(blocks).check(Schema.isMaxLength(3)) }))
  ).pipe(
    Arbitrary.map((all) =>
      all.map((one, index) =>
        message(
          String(index),
          one.role,
          one.blocks.map((name) => block[name])
        )
      )
    )
  )

  it.prop("processed messages keep every message, in order", [messages], ([given]) => {
    const shown = groupMessages(given).flatMap((group) => group.messages)
    assert.deepStrictEqual(
      shown.map(({ id }) => id),
      given.map(({ id }) => id)
    )
  })

  it.prop("processed messages are in groups of one kind, and neighbouring groups differ", [messages], ([given]) => {
    const groups = groupMessages(given)
    for (const [index, group] of groups.entries()) {
      assert.isAbove(group.messages.length, 0)
      for (const one of group.messages) {
        assert.strictEqual(one.role, group.role)
        assert.strictEqual(one.take_over ?? false, group.take_over)
      }
      const next = groups[index + 1]
      assert.isFalse(next !== undefined && next.role === group.role && next.take_over === group.take_over)
    }
  })

  it.prop(
    "processed messages never change the agent's messages, and a user's only as a whole",
    [messages],
    ([given]) => {
      const shown = groupMessages(given).flatMap((group) => group.messages)
      for (const [index, one] of given.entries()) {
        const moved = shown[index]?.role !== one.role
        const types = new Set(one.content.map((item) => JSON.stringify(item)))
        const whole =
          one.content.every((item) => item === result) ||
          one.content.every((item) => item === action || item === emptyAction)
        assert.strictEqual(moved, one.role === "USER" && whole, [...types].join())
        if (!moved) assert.deepStrictEqual(shown[index], one)
      }
    }
  )
})
