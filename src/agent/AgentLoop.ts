import { Context, DateTime, Duration, Effect, Layer, Option, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { Analytics } from "../analytics/Analytics.ts"
import { Settings } from "../config/Settings.ts"
import { orUnavailable } from "../database/DatabaseFailure.ts"
import { Desktops } from "../desktop/Desktops.ts"
import { type ToolResultBlock, type ToolUseBlock, text, toolResult } from "../domain/ContentBlock.ts"
import type { DatabaseUnavailable, TaskNotFound } from "../domain/TaskErrors.ts"
import { desktopFileName } from "../domain/TaskFile.ts"
import { type Conversation, Conversations, type Entry, openReply, toolUses } from "../messages/Conversations.ts"
import type { Lease } from "../tasks/Lease.ts"
import { type Claim, type Outcome, TaskRuns } from "../tasks/TaskRuns.ts"
import { Tasks } from "../tasks/Tasks.ts"
import { ModelCalls } from "./ModelCalls.ts"
import { type ToolOutcome, ToolRunner } from "./ToolRunner.ts"

/** Answers without a tool in a row after which a person is asked (agent.md, "One task", f). */
const patienceWithText = 3

const unknownOutcome =
  "The service was interrupted during this action; it may or may not have taken effect. Look at the screen before you go on."
const notExecuted = "Not executed: the work was interrupted before this action. Look at the screen before you go on."

/** Runs one claimed task until it ends or this run no longer owns it (agent.md, "One task"). */
export class AgentLoop extends Context.Service<
  AgentLoop,
  {
    /** Ends when the task needs nothing more from the agent. Interruption stops it at once, but never in the middle of a desktop action. */
    readonly run: (claim: Claim) => Effect.Effect<void, DatabaseUnavailable>
  }
>()("bytebot/AgentLoop") {
  static readonly layer = Layer.effect(
    AgentLoop,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { maxIterations } = yield* Settings
      const analytics = yield* Analytics
      const conversations = yield* Conversations
      const desktops = yield* Desktops
      const models = yield* ModelCalls
      const runs = yield* TaskRuns
      const runner = yield* ToolRunner
      const tasks = yield* Tasks

      const finish = Effect.fnUntraced(function* (lease: Lease, outcome: Outcome) {
        yield* runs.finish(lease, outcome)
        yield* Effect.logInfo("Task ended").pipe(Effect.annotateLogs({ status: outcome.status }))
        if (outcome.status !== "NEEDS_HELP") yield* analytics.report(lease.taskId)
      })

      /** The task's files, written where its first message says that they are. */
      const writeFiles = Effect.fn("AgentLoop.writeFiles")(function* (lease: Lease) {
        const { files } = yield* tasks.get(lease.taskId)
        const desktop = desktops.at(lease.desktop)
        yield* Effect.forEach(
          files,
          (file) => desktop.writeFile(`/home/user/Desktop/${desktopFileName(file.name)}`, file.data),
          { discard: true }
        ).pipe(Effect.retry({ schedule: Schedule.exponential("500 millis"), times: 5 }))
      })

      /** One tool_use: recorded as started, carried out, recorded as done. Not to be torn apart. */
      const runTool = Effect.fnUntraced(function* (claim: Claim, reply: Entry, use: ToolUseBlock, index: number) {
        yield* conversations.startTool(claim.lease, reply.id, index)
        const done = yield* runner.run(claim.task, claim.lease.desktop, use, `${reply.id}:${index}`)
        yield* conversations.finishTool(reply.id, index, done.result)
        return done
      }, Effect.uninterruptible)

      /** Carries out what is open of a reply, and stores all its results in one message. */
      const runTools = Effect.fn("AgentLoop.runTools")(function* (claim: Claim, reply: Entry, isNew: boolean) {
        const journal = isNew ? [] : yield* conversations.executions(reply.id)
        const isStale =
          !isNew && claim.interruptedAt !== null && DateTime.isLessThanOrEqualTo(reply.createdAt, claim.interruptedAt)
        const outcomes: Array<ToolOutcome> = []
        for (const [index, use] of toolUses(reply.content).entries()) {
          const known = journal.find((execution) => execution.index === index)
          if (known !== undefined) {
            outcomes.push({
              result: known.result ?? toolResult(use.id, [text(unknownOutcome)], true),
              outcome: undefined
            })
          } else if (isStale) {
            outcomes.push({ result: toolResult(use.id, [text(notExecuted)], true), outcome: undefined })
          } else {
            outcomes.push(yield* runTool(claim, reply, use, index))
          }
        }
        const end = outcomes.findLast(({ outcome }) => outcome !== undefined)?.outcome
        const results = outcomes.map(({ result }) => result)
        const entry = yield* conversations.appendResults(claim.lease, reply.id, results).pipe(
          Effect.tap(() => (end === undefined ? Effect.void : runs.finish(claim.lease, end))),
          sql.withTransaction,
          orUnavailable
        )
        if (end !== undefined) {
          yield* Effect.logInfo("Task ended").pipe(Effect.annotateLogs({ status: end.status }))
          if (end.status !== "NEEDS_HELP") yield* analytics.report(claim.lease.taskId)
        }
        return { entry, ended: end !== undefined }
      })

      /** Hides the conversation so far behind a summary of it; a failure is logged and leaves everything as it is. */
      const summarize = Effect.fn("AgentLoop.summarize")(function* (claim: Claim, conversation: Conversation) {
        const last = conversation.entries.at(-1)
        if (last === undefined) return conversation
        const content = yield* Effect.option(
          models
            .summary(claim.task.model, conversation)
            .pipe(
              Effect.tapError((error) => Effect.logWarning("The conversation could not be summarised", error.message))
            )
        )
        if (Option.isNone(content)) return conversation
        const parentId = Option.getOrNull(Option.map(conversation.summary, ({ id }) => id))
        const id = yield* conversations.summarize(claim.lease, {
          content: content.value,
          parentId,
          through: last.position
        })
        return { summary: Option.some({ id, content: content.value }), entries: [] }
      })

      const iterate = Effect.fnUntraced(function* (claim: Claim, loaded: Conversation) {
        let conversation = loaded
        let seen = loaded.entries.at(-1)?.position ?? 0n
        let texts = 0
        for (let iteration = 1; iteration <= maxIterations; iteration++) {
          const reply = yield* models.reply(claim.task.model, conversation)
          if (reply.content.length === 0) {
            return yield* finish(claim.lease, { status: "FAILED", error: "The model's answer was empty" })
          }
          const entry = yield* conversations.appendReply(claim.lease, reply.content)
          yield* Effect.logInfo("Model answered").pipe(
            Effect.annotateLogs({ iteration, tokensIn: reply.usage.input, tokensOut: reply.usage.output })
          )
          if (reply.isCrowded) conversation = yield* summarize(claim, conversation)
          const own = [entry]
          if (toolUses(reply.content).length === 0) {
            texts++
            if (texts >= patienceWithText) {
              return yield* finish(claim.lease, {
                status: "NEEDS_HELP",
                error: "The model answers without acting"
              })
            }
          } else {
            texts = 0
            const { ended, entry: results } = yield* runTools(claim, entry, true)
            if (ended) return
            own.push(results)
          }
          // What a person wrote meanwhile may stand before the reply: it was stored while the model was thinking.
          const news = yield* conversations.since(
            claim.lease.taskId,
            seen,
            own.map(({ id }) => id)
          )
          const added = [...own, ...news].sort((a, b) => (a.position < b.position ? -1 : 1))
          seen = added.at(-1)?.position ?? seen
          conversation = { ...conversation, entries: [...conversation.entries, ...added] }
        }
        return yield* finish(claim.lease, {
          status: "NEEDS_HELP",
          error: `The task used all of its ${maxIterations} iterations`
        })
      })

      const drive = Effect.fnUntraced(function* (claim: Claim) {
        const first = yield* conversations.load(claim.lease.taskId)
        const open = openReply(first.entries)
        if (Option.isSome(open)) {
          const { ended } = yield* runTools(claim, open.value, false)
          if (ended) return
        }
        if (Option.isNone(first.summary) && !first.entries.some((entry) => entry.role === "ASSISTANT"))
          yield* writeFiles(claim.lease)
        yield* iterate(claim, Option.isSome(open) ? yield* conversations.load(claim.lease.taskId) : first)
      })

      const fail = (lease: Lease, error: string) => finish(lease, { status: "FAILED", error: shortened(error) })

      /** After a takeover or a cancel: the tools that were not run any more are answered, so that the record is complete. */
      const settle = Effect.fn("AgentLoop.settle")(function* (claim: Claim) {
        const { taskId } = claim.lease
        const standing = yield* runs.standing(taskId)
        const isOver = Option.isNone(standing)
        if (isOver || (standing.value.epoch === claim.lease.epoch && standing.value.status === "RUNNING")) return
        const open = openReply((yield* conversations.load(taskId)).entries)
        if (Option.isNone(open)) return
        const journal = yield* conversations.executions(open.value.id)
        const results = toolUses(open.value.content).map((use, index): ToolResultBlock => {
          const known = journal.find((execution) => execution.index === index)
          if (known === undefined) return toolResult(use.id, [text(notExecuted)], true)
          return known.result ?? toolResult(use.id, [text(unknownOutcome)], true)
        })
        yield* conversations.appendLateResults(taskId, open.value.id, results)
      })

      const run = Effect.fn("AgentLoop.run")(function* (claim: Claim) {
        yield* Effect.annotateCurrentSpan({ "task.id": claim.lease.taskId, "task.epoch": claim.lease.epoch })
        yield* Effect.logInfo("Task started").pipe(
          Effect.andThen(drive(claim)),
          Effect.catchTags({
            ModelError: (error) => fail(claim.lease, error.message),
            DesktopFailed: (error) =>
              fail(claim.lease, `The task's files could not be written to the desktop: ${error.message}`)
          }),
          Effect.catchTags({
            LeaseLost: () => Effect.logInfo("Task taken out of this run's hands"),
            TaskNotFound: (_: TaskNotFound) => Effect.void
          }),
          Effect.ensuring(
            settle(claim).pipe(
              Effect.timeout(Duration.seconds(10)),
              Effect.catchCause((cause) => Effect.logWarning("The results of a broken off run were not stored", cause))
            )
          ),
          Effect.annotateLogs({ taskId: claim.lease.taskId })
        )
      })

      return AgentLoop.of({ run })
    })
  )
}

/** `error` is shown to people: a line or two of it. */
const shortened = (message: string): string => (message.length > 500 ? `${message.slice(0, 499)}…` : message)
