import { assert, describe, it } from "@effect/vitest"
import { DateTime, Schema } from "effect"
import { follow, judge, noProgress } from "../../src/agent/Progress.ts"
import { text } from "../../src/domain/ContentBlock.ts"
import type { Entry } from "../../src/domain/Conversation.ts"
import { entry, numbers, shows, toolUse } from "./Entries.ts"

/** When a task counts as stuck. */

const hour = 3_600_000

/** A step of a task: what the model did, and which screen it saw then. */
interface Did {
  readonly tool: string
  readonly input?: Readonly<Record<string, number | string>>
  readonly screen: number
}
const wait = (duration: number, screen: number): Did => ({ tool: "computer_wait", input: { duration }, screen })
const look = (screen: number): Did => ({ tool: "computer_screenshot", screen })
const click = (x: number, screen: number): Did => ({ tool: "computer_click_mouse", input: { x }, screen })

const entriesOf = (steps: ReadonlyArray<Did>, from = 0): ReadonlyArray<Entry> =>
  steps.flatMap(({ input = {}, screen, tool }, index) => {
    const at = from + 2 * index
    return [entry("ASSISTANT", at, [toolUse("a", tool, input)]), entry("USER", at + 1, [shows("a", screen)])]
  })

/** Lets a model go on with these steps until the service asks for help; how many it has done then, and after which it was nudged. */
const play = (steps: ReadonlyArray<Did>, longestWait = hour) => {
  let progress = noProgress
  const nudgedAfter: Array<number> = []
  for (const [index, step] of steps.entries()) {
    progress = follow(progress, entriesOf([step], 10 * index))
    const verdict = judge(progress, longestWait)
    if (verdict._tag === "AskForHelp") return { ended: index + 1, reason: verdict.reason, nudgedAfter }
    if (verdict._tag === "Nudge") {
      nudgedAfter.push(index + 1)
      progress = follow(progress, [entry("USER", 10 * index + 2, [text(verdict.nudge)])])
    }
  }
  return { ended: undefined, reason: undefined, nudgedAfter }
}

const repeat = (cycle: ReadonlyArray<Did>, times: number) => Array.from({ length: times }, () => cycle).flat()

const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
const Period = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 }))

describe("A task", () => {
  it.prop("may wait for long on a screen that does not change", [Small], ([more]) => {
    const { ended, nudgedAfter } = play(Array.from({ length: 50 }, () => wait(5_000 + more, 1)))
    assert.deepStrictEqual({ ended, nudgedAfter }, { ended: undefined, nudgedAfter: [] })
  })

  it.prop("that only waits is nudged after the longest wait, then a person is asked", [Small], ([more]) => {
    const duration = 60_000 + more
    const steps = Array.from({ length: 100 }, (_, index) => wait(duration, index))
    const { ended, nudgedAfter, reason } = play(steps, 20 * duration)
    assert.deepStrictEqual({ ended, nudgedAfter }, { ended: 21, nudgedAfter: [20] })
    assert.strictEqual(reason, `The model has only waited for ${Math.round((21 * duration) / 60_000)} minutes`)
  })

  it("that waits and looks by turns at the same screen is nudged, then a person is asked", () => {
    const short = play(repeat([wait(1_000, 1), look(1)], 200))
    assert.deepStrictEqual([short.ended, short.nudgedAfter], [40, [20]])
    const long = play(repeat([wait(10_000, 1), look(1)], 200))
    assert.deepStrictEqual([long.ended, long.nudgedAfter], [80, [40]])
  })

  it("may wait under the names and with the texts that some models use", () => {
    const alias = { tool: "functions.computer_wait", input: { duration: "30000" }, screen: 1 }
    assert.deepStrictEqual(play(repeat([alias], 50)).nudgedAfter, [])
    assert.deepStrictEqual(play(repeat([alias], 21), 600_000).nudgedAfter, [20])
  })

  it("has not waited while the service or the desktop was away during a look", () => {
    const [asked, seen] = entriesOf([look(1)])
    const late = seen === undefined ? [] : [{ ...seen, createdAt: DateTime.addDuration(seen.createdAt, "5 hours") }]
    const progress = follow(noProgress, [...(asked === undefined ? [] : [asked]), ...late])
    assert.deepStrictEqual(judge(progress, hour), { _tag: "GoOn" })
  })

  it.prop("that waits while the screen changes is not stuck", [Small], ([duration]) => {
    const steps = Array.from({ length: 300 }, (_, index) => [wait(duration, index), look(index + 1)]).flat()
    assert.deepStrictEqual(play(steps).nudgedAfter, [])
  })

  it.prop(
    "that repeats up to four steps without effect is nudged after the fifth time, and a person is asked after the sixth",
    [Period, Schema.Int],
    ([period, seed]) => {
      const random = numbers(seed)
      const before = Array.from({ length: random(20) }, (_, index) => click(index, -1 - index))
      const cycle = Array.from({ length: period }, (_, index) =>
        index === 0 || random(2) === 0 ? click(100 + index, index) : look(index)
      )
      const { ended, nudgedAfter } = play([...before, ...repeat(cycle, 10)])
      assert.deepStrictEqual(
        { ended, nudgedAfter },
        { ended: before.length + 6 * period, nudgedAfter: [before.length + 5 * period] }
      )
    }
  )

  it.prop("whose every action changes the screen is not stuck", [Schema.Int], ([seed]) => {
    const random = numbers(seed)
    const steps = Array.from({ length: 100 }, (_, index) => click(random(2), index))
    assert.deepStrictEqual(play(steps).nudgedAfter, [])
  })

  it.prop("that a nudge has helped may be nudged again", [Period], ([period]) => {
    const cycle = Array.from({ length: period }, (_, index) => click(index, index))
    const { ended, nudgedAfter } = play([...repeat(cycle, 5), click(50, 50), click(51, 51), ...repeat(cycle, 5)])
    assert.strictEqual(ended, undefined)
    assert.deepStrictEqual(nudgedAfter, [5 * period, 10 * period + 2])
  })

  it.prop("is judged the same after a restart, which reads all messages at once", [Schema.Int], ([seed]) => {
    const random = numbers(seed)
    const entries = Array.from({ length: 40 }, (_, index) => {
      const kinds: ReadonlyArray<ReadonlyArray<Entry>> = [
        entriesOf([click(random(2), random(2))], 10 * index),
        entriesOf([wait(random(9_000), random(2))], 10 * index),
        [entry("ASSISTANT", 10 * index, [text("hm")])],
        [entry("USER", 10 * index, [text(random(2) === 0 ? "go on" : "Note from the service: look")])]
      ]
      return kinds[random(random(4) === 0 ? 4 : 2)] ?? []
    })
    const stepwise = entries.reduce(follow, noProgress)
    assert.deepStrictEqual(stepwise, follow(noProgress, entries.flat()))
    assert.deepStrictEqual(judge(stepwise, hour), judge(follow(noProgress, entries.flat()), hour))
  })
})
