import { assert, describe, it } from "@effect/vitest"
import { DateTime, Option, Schema } from "effect"
import type { Command } from "../../src/agent/run/Command.ts"
import { begin, decide, isOver } from "../../src/agent/run/decide.ts"
import type { Observation } from "../../src/agent/run/Observation.ts"
import type { Facts, RunState } from "../../src/agent/run/RunState.ts"
import type { ToolOutcome } from "../../src/agent/ToolRunner.ts"
import { text } from "../../src/domain/ContentBlock.ts"
import { type Conversation, type Entry, toolUses } from "../../src/domain/Conversation.ts"
import { entry, numbers, shows, toolUse } from "./Entries.ts"

/** What a run decides, in a world where everything happens that can happen, and some of what can't. */

const call = {
  provider: "any",
  model: "any",
  tokens: { input: 10, output: 1, cacheRead: 0, cacheWrite: 0 },
  cost: null,
  durationMs: 1,
  prefix: null,
  askedAt: DateTime.makeUnsafe(0)
}

/** Answers commands as a service, a model, a desktop and people might. */
class World {
  readonly facts: Facts
  private readonly random: (limit: number) => number
  private readonly habits = new Map<string, number>()
  private position = 0
  private calls = 0

  constructor(seed: number) {
    this.random = numbers(seed)
    this.facts = {
      hasMoved: this.isSometimes(3, "moved"),
      limits: {
        iterations: 1 + this.random(8),
        tokens: this.isSometimes(3, "budget") ? 10 + this.random(200) : undefined,
        cost: undefined,
        waiting: 3_600_000,
        screenshots: 1 + this.random(3)
      }
    }
  }

  /** Any observation at all, asked for or not. */
  anything(): Observation {
    const commands: ReadonlyArray<Command> = [
      { _tag: "Load" },
      { _tag: "Recall", reply: this.reply() },
      { _tag: "WriteFiles" },
      { _tag: "Arrive", isTold: true },
      { _tag: "CountSpent" },
      { _tag: "NextIteration" },
      { _tag: "Nudge", text: "any" },
      { _tag: "AskModel", conversation: this.conversation() },
      { _tag: "StoreReply", content: this.reply().content, call },
      { _tag: "Summarise", split: { covered: this.conversation(), left: [], through: 1n }, isForced: false },
      { _tag: "RunTool", reply: this.reply(), index: 0, before: undefined },
      { _tag: "StoreResults", reply: this.reply(), results: [], end: undefined },
      { _tag: "ReadNews", after: 0n, own: [] },
      { _tag: "Finish", outcome: { status: "NEEDS_HELP" } }
    ]
    return this.answer(commands[this.random(commands.length)] ?? { _tag: "Load" })
  }

  /** An observation that the command may lead to. */
  answer(command: Command): Observation {
    if (this.isSometimes(60, "stop")) return { _tag: "Stopped" }
    switch (command._tag) {
      case "Load":
        return { _tag: "Loaded", conversation: this.conversation() }
      case "Recall":
        return { _tag: "Recalled", answers: this.recalled(command.reply) }
      case "WriteFiles":
        return { _tag: "FilesWritten", isTold: this.isSometimes(3, "missing files") }
      case "Arrive":
        return { _tag: "Arrived" }
      case "CountSpent":
        return { _tag: "Counted", spent: { replies: this.random(2), tokens: this.random(20), cost: 0 } }
      case "NextIteration":
        return { _tag: "Ready" }
      case "Nudge":
        return { _tag: "Nudged", entry: this.message("USER", [text(command.text)]) }
      case "AskModel":
        return this.asked()
      case "StoreReply":
        return { _tag: "ReplyStored", entry: this.message("ASSISTANT", command.content) }
      case "Summarise":
        return this.isSometimes(3, "no summary")
          ? { _tag: "SummaryFailed", message: "no words" }
          : { _tag: "Summarised", summary: { id: "s", content: "words" }, call }
      case "RunTool":
        return this.toolDone(command)
      case "StoreResults":
        return { _tag: "ResultsStored", entry: this.message("USER", command.results) }
      case "ReadNews":
        return {
          _tag: "News",
          entries: this.isSometimes(5, "news") ? [this.message("USER", [text("and the red one")])] : []
        }
      case "Finish":
        return { _tag: "Finished" }
      case "Stop":
      case "Break":
        return { _tag: "Stopped" }
    }
  }

  private asked(): Observation {
    if (this.isSometimes(12, "too long")) return { _tag: "TooLong", message: "too long" }
    if (this.isSometimes(20, "no answer")) return { _tag: "ModelFailed", message: "no" }
    const content = this.isSometimes(5, "empty") ? [] : this.reply().content
    return { _tag: "Replied", content, call, isCrowded: this.isSometimes(4, "crowded") }
  }

  private toolDone({ before, index, reply }: Extract<Command, { readonly _tag: "RunTool" }>): Observation {
    const answer = this.outcome(reply, index)
    const isStoredAlong = before !== undefined && answer.outcome === undefined && this.isSometimes(2, "along")
    const stored = isStoredAlong ? this.message("USER", [...before, answer.result]) : undefined
    return { _tag: "ToolDone", answer, stored }
  }

  private outcome(reply: Entry, index: number): ToolOutcome {
    const id = toolUses(reply.content)[index]?.id ?? "none"
    return {
      result: this.isSometimes(4, "error") ? { ...shows(id, 0), is_error: true } : shows(id, this.random(3)),
      outcome: this.isSometimes(8, "end") ? { status: "COMPLETED", description: "ok" } : undefined
    }
  }

  /** The first tools of a reply were carried out by an earlier run. */
  private recalled(reply: Entry): ReadonlyArray<ToolOutcome | undefined> {
    const uses = toolUses(reply.content)
    const known = this.random(uses.length + 1)
    return uses.map(({ id }, index) => (index < known ? { result: shows(id, 0), outcome: undefined } : undefined))
  }

  private conversation(): Conversation {
    const entries = [this.message("USER", [text("do it")])]
    if (this.isSometimes(2, "open")) entries.push(this.reply())
    return {
      summary: this.isSometimes(4, "summary") ? Option.some({ id: "s", content: "before" }) : Option.none(),
      entries
    }
  }

  private reply(): Entry {
    const length = this.isSometimes(2, "tools") ? 1 + this.random(3) : 0
    const tools = Array.from({ length }, () => toolUse(`call-${this.calls++}`, "computer_click_mouse"))
    return this.message("ASSISTANT", [text("hm"), ...tools])
  }

  private message(role: Entry["role"], content: Entry["content"]): Entry {
    this.position++
    return entry(role, this.position, content)
  }

  /** Some worlds have habits: a thing always happens there, or never. */
  private isSometimes(oneIn: number, what: string): boolean {
    const habit = this.habits.get(what) ?? this.random(3)
    this.habits.set(what, habit)
    const chance = this.random(oneIn) === 0
    return habit === 0 ? what !== "stop" : habit === 1 ? false : chance
  }
}

interface Played {
  readonly commands: ReadonlyArray<Command>
  readonly seen: ReadonlyArray<Observation>
  readonly last: RunState
}

const mostCommands = 2_000

const play = (world: World, next: (command: Command) => Observation): Played => {
  const seen: Array<Observation> = []
  let [state, command] = begin(world.facts)
  const commands = [command]
  while (!isOver(command) && commands.length < mostCommands) {
    const observation = next(command)
    seen.push(observation)
    ;[state, command] = decide(state, observation)
    commands.push(command)
  }
  return { commands, seen, last: state }
}

const playFair = (seed: number): Played => {
  const world = new World(seed)
  return play(world, (command) => world.answer(command))
}

/** The results that each reply with tools has got, message by message. */
const answersOf = ({ commands, seen }: Played) => {
  const replies = new Map<Entry, Array<ReadonlyArray<string>>>()
  commands.forEach((command, index) => {
    const observation = seen[index]
    if (command._tag === "Recall") replies.set(command.reply, replies.get(command.reply) ?? [])
    if (observation?._tag === "ReplyStored" && toolUses(observation.entry.content).length > 0) {
      replies.set(observation.entry, [])
    }
    if (command._tag === "StoreResults") {
      replies.get(command.reply)?.push(command.results.map(({ tool_use_id }) => tool_use_id))
    }
    if (command._tag === "RunTool" && observation?._tag === "ToolDone" && observation.stored !== undefined) {
      const results = observation.stored.content.flatMap((block) => (block.type === "tool_result" ? [block] : []))
      replies.get(command.reply)?.push(results.map(({ tool_use_id }) => tool_use_id))
    }
  })
  return replies
}

const tags = (items: ReadonlyArray<{ readonly _tag: string }>) => items.map(({ _tag }) => _tag)

describe("A run", () => {
  it.prop("answers every tool_use of a reply exactly once, in order, unless it is stopped", [Schema.Int], ([seed]) => {
    const played = playFair(seed)
    const isStopped = tags(played.seen).includes("Stopped")
    const all = [...answersOf(played)]
    all.forEach(([reply, answers], index) => {
      const ids = toolUses(reply.content).map(({ id }) => id)
      const isCutShort = isStopped && index === all.length - 1 && answers.length === 0
      assert.deepStrictEqual(answers, isCutShort ? [] : [ids])
    })
  })

  it.prop("carries out each tool at most once, and none that an earlier run has finished", [Schema.Int], ([seed]) => {
    const { commands, seen } = playFair(seed)
    const done = new Set<string>()
    commands.forEach((command, index) => {
      const observation = seen[index]
      if (command._tag === "Recall" && observation?._tag === "Recalled") {
        observation.answers.forEach((answer, place) => {
          if (answer !== undefined) done.add(`${command.reply.id}:${place}`)
        })
      }
      if (command._tag !== "RunTool") return
      const key = `${command.reply.id}:${command.index}`
      assert.isFalse(done.has(key), key)
      done.add(key)
    })
  })

  it.prop("goes on with a batch after a tool that failed, and stops it with the run", [Schema.Int], ([seed]) => {
    const { commands, seen } = playFair(seed)
    const stoppedAt = tags(seen).indexOf("Stopped")
    if (stoppedAt !== -1) assert.deepStrictEqual(tags(commands.slice(stoppedAt + 1)), ["Stop"])
    seen.forEach((observation, index) => {
      const isError = observation._tag === "ToolDone" && observation.answer.result.is_error === true
      const command = commands[index]
      const isLast = command?._tag === "RunTool" && command.index === toolUses(command.reply.content).length - 1
      if (isError && !isLast) assert.strictEqual(commands[index + 1]?._tag, "RunTool")
    })
  })

  it.prop("commands nothing once it is over, whatever happens", [Schema.Int], ([seed]) => {
    const { last } = playFair(seed)
    const world = new World(seed + 1)
    assert.strictEqual(last.phase._tag, "Ended")
    assert.deepStrictEqual(decide(last, world.anything()), [last, { _tag: "Stop" }])
  })

  it.prop("ends with every sequence of observations, asked for or not", [Schema.Int], ([seed]) => {
    const fair = playFair(seed)
    assert.isBelow(fair.commands.length, mostCommands)
    assert.strictEqual(fair.commands.at(-1)?._tag, "Stop")
    const world = new World(seed)
    const chance = numbers(seed)
    const wild = play(world, (command) => (chance(10) === 0 ? world.anything() : world.answer(command)))
    assert.isBelow(wild.commands.length, mostCommands)
    assert.include(["Stop", "Break"], wild.commands.at(-1)?._tag)
  })

  it.prop("stores no more replies than it may, and ends its task at most once", [Schema.Int], ([seed]) => {
    const world = new World(seed)
    const { commands } = play(world, (command) => world.answer(command))
    const replies = commands.filter(({ _tag }) => _tag === "StoreReply").length
    assert.isAtMost(replies, world.facts.limits.iterations)
    const ends = commands.filter(
      (command) => command._tag === "Finish" || (command._tag === "StoreResults" && command.end !== undefined)
    )
    assert.isAtMost(ends.length, 1)
  })

  it.prop("makes a conversation that is too long shorter only once for a reply", [Schema.Int], ([seed]) => {
    let shortened = 0
    for (const { _tag } of playFair(seed).seen) {
      if (_tag === "TooLong") shortened++
      if (_tag === "ReplyStored") shortened = 0
      assert.isAtMost(shortened, 2)
    }
  })

  it.prop("asks three times in a row at most before the model says something", [Schema.Int], ([seed]) => {
    const { commands, seen } = playFair(seed)
    let empties = 0
    seen.forEach((observation, index) => {
      if (observation._tag !== "Replied") return
      empties = observation.content.length === 0 ? empties + 1 : 0
      assert.isAtMost(empties, 3)
      if (empties === 3) assert.strictEqual(commands[index + 1]?._tag, "Finish")
    })
  })

  it("breaks on an observation that nothing has asked for", () => {
    const [state] = begin(new World(1).facts)
    const [next, command] = decide(state, { _tag: "Finished" })
    assert.strictEqual(next.phase._tag, "Ended")
    assert.deepStrictEqual(command, { _tag: "Break", reason: "Finished was observed while Loading" })
  })
})
