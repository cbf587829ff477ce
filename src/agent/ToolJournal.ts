import { Array as Arr, Clock, Context, DateTime, Effect, Fiber, Layer, Option } from "effect"
import { retryBriefly } from "../database/DatabaseRetry.ts"
import { type ToolResultBlock, type ToolUseBlock, text, toolResult } from "../domain/ContentBlock.ts"
import { type Entry, openReply, toolUses } from "../domain/Conversation.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { Conversations } from "../messages/Conversations.ts"
import type { Claim } from "../tasks/Claims.ts"
import type { Lease, LeaseLost } from "../tasks/Lease.ts"
import { TaskRuns } from "../tasks/TaskRuns.ts"
import { leaseValidFor } from "./LeaseAge.ts"
import { type ToolOutcome, ToolRunner } from "./ToolRunner.ts"
import { changedBy } from "./Tools.ts"

/**
 * Which tools of a reply have been started and finished. The only place that knows, and that decides what a crash leaves to be done.
 *
 * A tool that changes nothing is not recorded: it is carried out whenever it has no result. For the others:
 *
 * | journal             | the former run                               | what the next run does                                       |
 * |---------------------|----------------------------------------------|--------------------------------------------------------------|
 * | no row              | ended before the tool was recorded           | carries it out                                               |
 * | no row              | was taken from the task by a person          | answers "not executed"                                       |
 * | started             | ended during the tool, which changes rows    | carries it out again: its rows are known by their ids        |
 * | started             | ended during the tool, which changes the desktop | answers "outcome unknown", never sends it again          |
 * | started             | ended while recording the start, this process knows | carries it out: it was never sent                     |
 * | started             | was taken from the task by a person          | answers "outcome unknown"                                    |
 * | started, result late| ended, its result is still being stored      | waits for the result                                         |
 * | finished            | ended before the results became a message    | uses the result                                              |
 *
 * The first result that is stored for a tool counts. A process that dies forgets what only it knew; the outcome is unknown then.
 */
export class ToolJournal extends Context.Service<
  ToolJournal,
  {
    /** What is known of each tool_use of a reply that an earlier run left open; undefined: to be carried out. */
    readonly recall: (
      claim: Claim,
      reply: Entry
    ) => Effect.Effect<ReadonlyArray<ToolOutcome | undefined>, DatabaseUnavailable>
    /**
     * Records the tool_use as started, carries it out, and records its result. Not torn apart by interruption. For the last open one of a
     * reply: given the results `before` it, the message with all of them is stored with it, as `stored`, where the tool is recorded.
     */
    readonly run: (
      claim: Claim,
      reply: Entry,
      index: number,
      before: ReadonlyArray<ToolResultBlock> | undefined
    ) => Effect.Effect<ToolOutcome & { readonly stored: Entry | undefined }, LeaseLost | DatabaseUnavailable>
    /** Stores the results of all tools of the reply as one message. */
    readonly store: (
      lease: Lease,
      reply: Entry,
      results: ReadonlyArray<ToolResultBlock>
    ) => Effect.Effect<Entry, LeaseLost | DatabaseUnavailable>
    /** After the run: where the task does not go on by itself, what is open of its last reply is answered, so that the record is complete. */
    readonly settle: (claim: Claim) => Effect.Effect<void, DatabaseUnavailable>
  }
>()("bytebot/ToolJournal") {
  static readonly layer = Layer.effect(
    ToolJournal,
    Effect.gen(function* () {
      const conversations = yield* Conversations
      const memory: Memory = { unsent: new Set(), storing: new Map() }
      return ToolJournal.of({
        run: yield* makeRun(memory),
        recall: yield* makeRecall(memory),
        store: (lease, reply, results) => conversations.appendResults(lease, reply.id, results),
        settle: yield* makeSettle(memory)
      })
    })
  )
}

/** What only this process knows. */
interface Memory {
  /** Tools whose start was being recorded when their run was interrupted: they were not sent, whatever the row says. */
  readonly unsent: Set<string>
  /** Results that an outage keeps from being stored, by their reply: they outlive their run. */
  readonly storing: Map<string, Fiber.Fiber<unknown, unknown>>
}

const makeRun = Effect.fnUntraced(function* ({ storing, unsent }: Memory) {
  const scope = yield* Effect.scope
  const conversations = yield* Conversations
  const runner = yield* ToolRunner

  /** Records the start; answers until when (UTC, ms) the tool may be sent. */
  const start = Effect.fnUntraced(function* (lease: Lease, reply: Entry, index: number) {
    for (;;) {
      const until = (yield* Clock.currentTimeMillis) + leaseValidFor
      yield* conversations.startTool(lease, reply.id, index)
      if ((yield* Clock.currentTimeMillis) < until) return until
    }
  })

  /** Stores the result in the background if that takes long, so that the run can be interrupted meanwhile. */
  const keep = Effect.fnUntraced(function* <A>(
    reply: Entry,
    record: Effect.Effect<A, LeaseLost | DatabaseUnavailable>
  ) {
    const fiber = yield* record.pipe(Effect.ensuring(Effect.sync(() => storing.delete(reply.id))), Effect.forkIn(scope))
    storing.set(reply.id, fiber)
    yield* Effect.timeoutOption(Fiber.await(fiber), "2 seconds")
    return fiber
  })

  const run = (claim: Claim, reply: Entry, index: number, before: ReadonlyArray<ToolResultBlock> | undefined) =>
    Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        const use = useAt(reply, index)
        const place = { desktop: claim.lease.desktop, key: keyOf(reply, index), until: Number.POSITIVE_INFINITY }
        const changed = changedBy(use)
        if (changed === "nothing") {
          return { ...(yield* retryBriefly(runner.run(claim.task, use, place, restore))), stored: undefined }
        }
        const until = yield* restore(start(claim.lease, reply, index)).pipe(
          Effect.onInterrupt(() => Effect.sync(() => unsent.add(place.key)))
        )
        // From here on it may be sent, and what an earlier run knew is out of date.
        unsent.delete(place.key)
        const running = runner.run(claim.task, use, { ...place, until }, restore)
        // Rows are known again when they are written twice: that may wait for the database, and be interrupted.
        const done = yield* changed === "database" ? restore(running) : retryBriefly(running)
        const record =
          before === undefined || done.outcome !== undefined
            ? Effect.as(conversations.finishTool(reply.id, index, done.result), undefined)
            : conversations.finishLastTool(claim.lease, reply.id, index, Arr.append(before, done.result))
        const fiber = yield* keep(reply, record)
        return { ...done, stored: yield* restore(Fiber.join(fiber)) }
      })
    )

  return run
})

const makeRecall = Effect.fnUntraced(function* ({ storing, unsent }: Memory) {
  const conversations = yield* Conversations

  /** The outcome of an action that was broken off is unknown from now on, whatever a former run may still find out. */
  const giveUp = Effect.fnUntraced(function* (reply: Entry, index: number) {
    const result = toolResult(useAt(reply, index).id, [text(unknownOutcome)], true)
    yield* conversations.finishTool(reply.id, index, result)
    return { result, outcome: undefined }
  })

  const recall = Effect.fnUntraced(function* (claim: Claim, reply: Entry) {
    const late = storing.get(reply.id)
    if (late !== undefined) yield* Fiber.await(late)
    const journal = yield* conversations.executions(reply.id)
    const isTaken = claim.interruptedAt !== null && DateTime.isLessThanOrEqualTo(reply.createdAt, claim.interruptedAt)
    return yield* Effect.forEach(
      toolUses(reply.content),
      Effect.fnUntraced(function* (use, index): Effect.fn.Return<ToolOutcome | undefined, DatabaseUnavailable> {
        const known = journal.find((execution) => execution.index === index)
        if (known === undefined) {
          return isTaken ? { result: toolResult(use.id, [text(notExecuted)], true), outcome: undefined } : undefined
        }
        if (known.result !== null) return { result: known.result, outcome: undefined }
        const isRepeatable = unsent.delete(keyOf(reply, index)) || changedBy(use) !== "desktop"
        return isRepeatable && !isTaken ? undefined : yield* giveUp(reply, index)
      })
    )
  })

  return recall
})

const makeSettle = Effect.fnUntraced(function* ({ unsent }: Memory) {
  const conversations = yield* Conversations
  const runs = yield* TaskRuns

  const settle = Effect.fnUntraced(function* ({ lease: { taskId } }: Claim) {
    const state = yield* runs.controlState(taskId)
    const goesOn = Option.exists(state, ({ control, status }) => status === "RUNNING" && control === "ASSISTANT")
    if (Option.isNone(state) || goesOn) return
    const open = openReply((yield* conversations.load(taskId)).conversation.entries)
    if (Option.isNone(open)) return
    const reply = open.value
    const journal = yield* conversations.executions(reply.id)
    const results = toolUses(reply.content).map((use, index): ToolResultBlock => {
      const known = journal.find((execution) => execution.index === index)
      const wasSent = known !== undefined && !unsent.delete(keyOf(reply, index))
      return known?.result ?? toolResult(use.id, [text(wasSent ? unknownOutcome : notExecuted)], true)
    })
    yield* conversations.appendLateResults(taskId, reply.id, results)
  })

  return settle
})

const unknownOutcome =
  "The service was interrupted during this action; it may or may not have taken effect. Look at the screen before you go on."
const notExecuted = "Not executed: the work was interrupted before this action. Look at the screen before you go on."

const keyOf = (reply: Entry, index: number): string => `${reply.id}:${index}`

const useAt = (reply: Entry, index: number): ToolUseBlock => Arr.getUnsafe(toolUses(reply.content), index)
