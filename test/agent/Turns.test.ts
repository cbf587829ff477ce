import { assert, describe, it } from "@effect/vitest"
import { DateTime, Option, Schema } from "effect"
import { systemPrompt } from "../../src/agent/Prompt.ts"
import { nothingShown, thinOut } from "../../src/agent/Screenshots.ts"
import { type Reader, toTurns } from "../../src/agent/Turns.ts"
import { type ContentBlock, pngImage, text, toolResult } from "../../src/domain/ContentBlock.ts"
import type { Entry } from "../../src/domain/Conversation.ts"
import { MessageId } from "../../src/domain/Message.ts"

/** The conversation that a model is sent, from rows of any shape. */

const timeZone = DateTime.zoneMakeNamedUnsafe("Europe/Berlin")

const reader: Reader = {
  provider: "anthropic",
  model: "m",
  preamble: "p",
  now: DateTime.makeUnsafe("2026-11-29T22:30:00Z"),
  timeZone,
  refused: new Set()
}

/** Few ids, so that they repeat, and one that no provider takes. */
const CallId = Schema.Literals(["a", "b", "c", "übel:1"])
const Call = Schema.Struct({ id: CallId, input: Schema.NullOr(Schema.Literal("no object")) })
const Item = Schema.Literals(["picture", "words", "nothing"])
const Row = Schema.Union([
  Schema.Struct({ row: Schema.Literal("reply"), calls: Schema.Array(Call), words: Schema.Literals(["", "hm"]) }),
  Schema.Struct({ row: Schema.Literal("results"), of: Schema.Array(CallId), item: Item }),
  Schema.Struct({ row: Schema.Literal("user"), item: Item }),
  Schema.Struct({ row: Schema.Literal("action"), seen: Schema.Boolean })
])
const Rows = Schema.Array(Row)

const contentOf = (item: typeof Item.Type) =>
  item === "picture" ? [pngImage("AA==")] : [text(item === "words" ? "look" : "")]

const blocksOf = (row: typeof Row.Type): ReadonlyArray<ContentBlock> => {
  switch (row.row) {
    case "reply":
      return [
        text(row.words),
        ...row.calls.map(({ id, input }) => ({ id, name: "computer_wait", type: "tool_use" as const, input }))
      ]
    case "results":
      return row.of.map((id) => toolResult(id, contentOf(row.item)))
    case "user":
      return contentOf(row.item)
    case "action": {
      const use = { id: "u", name: "computer_type_text", type: "tool_use", input: { text: "x" } } as const
      return [{ type: "user_action", content: row.seen ? [pngImage("AA=="), use] : [use] }]
    }
  }
}

const entriesOf = (rows: typeof Rows.Type): ReadonlyArray<Entry> =>
  rows.map((row, index) => ({
    id: MessageId.make(String(index)),
    position: BigInt(index),
    role: row.row === "reply" ? "ASSISTANT" : "USER",
    content: blocksOf(row),
    createdAt: DateTime.makeUnsafe(index),
    origin: null
  }))

const conversation = (entries: ReadonlyArray<Entry>) => ({ summary: Option.none(), entries })
const ofType = <T extends ContentBlock["type"]>(content: ReadonlyArray<ContentBlock>, type: T) =>
  content.filter((block): block is Extract<ContentBlock, { readonly type: T }> => block.type === type)

describe("toTurns", () => {
  it.prop("makes a valid conversation of any rows", [Rows], ([rows]) => {
    const { turns } = toTurns(conversation(entriesOf(rows)), reader)
    const ids = new Set<string>()
    for (const [index, { content, role }] of turns.entries()) {
      assert.strictEqual(role, index % 2 === 0 ? "user" : "assistant")
      assert.isNotEmpty(content)
      assert.isTrue(ofType(content, "text").every((block) => block.text.trim() !== ""))
      const calls = ofType(content, "tool_use")
      assert.strictEqual(role === "user" ? calls.length : 0, 0)
      const answers = ofType(turns[index + 1]?.content ?? [], "tool_result").map(({ tool_use_id }) => tool_use_id)
      assert.sameMembers(
        answers,
        calls.map(({ id }) => id)
      )
      for (const { id, input } of calls) {
        assert.match(id, /^[A-Za-z0-9_-]{1,64}$/)
        assert.isObject(input)
        assert.isFalse(ids.has(id))
        ids.add(id)
      }
      if (index === 0) assert.isEmpty(ofType(content, "tool_result"))
    }
    assert.strictEqual(turns.at(-1)?.role, "user")
  })

  it.prop("shows a model its reasoning again until something before it changes", [Rows, Rows], ([before, after]) => {
    const known = entriesOf(before)
    const reply: Entry = {
      id: MessageId.make("reply"),
      position: BigInt(known.length),
      role: "ASSISTANT",
      content: [{ type: "thinking", thinking: "hm", signature: "s" }, text("so")],
      createdAt: DateTime.makeUnsafe(0),
      origin: {
        provider: "anthropic",
        model: "m",
        prefix: toTurns(conversation(known), reader).prefix,
        askedAt: reader.now
      }
    }
    const reasoning = (entries: ReadonlyArray<Entry>, as: Reader = reader) =>
      toTurns(conversation(entries), as).turns.flatMap(({ content }) => ofType(content, "thinking")).length
    // Results of calls that are still open would be put before the reply.
    const later = entriesOf(after).filter(({ content }) => ofType(content, "tool_result").length === 0)
    assert.strictEqual(reasoning([...known, reply, ...later]), 1)
    assert.strictEqual(reasoning([...known, reply], { ...reader, model: "other" }), 0)
    assert.strictEqual(reasoning([...known, reply], { ...reader, preamble: "tomorrow" }), 0)
    assert.strictEqual(reasoning([...entriesOf([{ row: "user", item: "words" }]), ...known, reply]), 0)
  })
})

describe("the clock", () => {
  const hours = (now: string): Reader => ({ ...reader, now: DateTime.makeUnsafe(now) })
  const asked = (known: ReadonlyArray<Entry>, at: Reader): Entry => ({
    id: MessageId.make(String(known.length)),
    position: BigInt(known.length),
    role: "ASSISTANT",
    content: [
      { type: "thinking", thinking: "hm", signature: "s" },
      { id: `call${known.length}`, name: "computer_wait", type: "tool_use", input: {} }
    ],
    createdAt: at.now,
    origin: { provider: "anthropic", model: "m", prefix: toTurns(conversation(known), at).prefix, askedAt: at.now }
  })

  it("is told in the newest turn in the person's time zone, and stays in the turns before as it was told", () => {
    const [evening, midnight, morning] = ["2026-11-29T22:30:00Z", "2026-11-29T23:05:00Z", "2026-11-30T08:00:00Z"].map(
      hours
    )
    assert.isDefined(evening)
    assert.isDefined(midnight)
    assert.isDefined(morning)
    const first = entriesOf([{ row: "user", item: "words" }])
    const second = [...first, asked(first, evening)]
    const third = [...second, asked(second, midnight)]
    const { turns } = toTurns(conversation(third), morning)
    const told = turns.flatMap(({ content, role }) => (role === "user" ? [JSON.stringify(content)] : []))
    assert.match(told[0] ?? "", /\(It is 2026-11-29 23:30\.\)/)
    assert.match(told[1] ?? "", /\(It is 2026-11-30 00:05\.\)/)
    assert.match(told[2] ?? "", /\(It is 2026-11-30 09:00\.\)/)
    assert.strictEqual(told.join("").split("It is").length - 1, 3)
    assert.strictEqual(turns.flatMap(({ content }) => ofType(content, "thinking")).length, 2)
  })
})

describe("the instructions", () => {
  it("name the local date of the task, which is not that of UTC", () => {
    const prompt = systemPrompt({
      applications: [],
      taskCreatedAt: DateTime.makeUnsafe("2026-11-29T23:30:00Z"),
      timeZone
    })
    assert.include(prompt, "Monday, 2026-11-30")
    assert.include(prompt, "Europe/Berlin")
  })
})

describe("thinOut", () => {
  const pictures = (entries: ReadonlyArray<Entry>) => JSON.stringify(entries, withoutBigInt).split(`"image"`).length - 1
  const withoutBigInt = (_: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value)
  const Keep = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))

  it.prop(
    "keeps enough, not too many, and the same whether told all at once or bit by bit",
    [Rows, Keep],
    ([rows, keep]) => {
      const entries = entriesOf(rows)
      const screens = entries.filter(({ content }) => content.some(({ type }) => type !== "image" && type !== "text"))
      const { entries: atOnce, shown } = thinOut(screens, nothingShown, keep)
      const total = pictures(screens)
      assert.deepStrictEqual(shown, { total, omitted: total - pictures(atOnce) })
      assert.isTrue(
        total < 4 * keep ? pictures(atOnce) === total : pictures(atOnce) >= keep && pictures(atOnce) < 4 * keep
      )

      const bitByBit = screens.reduce((state, entry) => thinOut([...state.entries, entry], state.shown, keep), {
        entries: [] as ReadonlyArray<Entry>,
        shown: nothingShown
      })
      assert.strictEqual(JSON.stringify(bitByBit.entries, withoutBigInt), JSON.stringify(atOnce, withoutBigInt))
    }
  )
})
