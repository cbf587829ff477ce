import { Clock, Effect, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { Analytics } from "../analytics/Analytics.ts"
import { Settings } from "../config/Settings.ts"
import { transaction } from "../database/DatabaseRetry.ts"
import type { Effort } from "../domain/Task.ts"
import type { DatabaseUnavailable, TaskNotFound } from "../domain/TaskErrors.ts"
import { Drafts } from "../events/Drafts.ts"
import { Conversations } from "../messages/Conversations.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import type { Claim } from "../tasks/Claims.ts"
import type { Lease, LeaseLost } from "../tasks/Lease.ts"
import { type Outcome, TaskRuns } from "../tasks/TaskRuns.ts"
import { Usage } from "../tasks/Usage.ts"
import { type Checkpoint, makeCheckpoint } from "./Checkpoint.ts"
import type { HandedOver, Handover } from "./Handover.ts"
import { leaseValidFor } from "./LeaseAge.ts"
import { ModelCalls } from "./ModelCalls.ts"
import type { RunTrace } from "./RunTrace.ts"
import type { Command } from "./run/Command.ts"
import type { Observation } from "./run/Observation.ts"
import { isLong } from "./run/Shortening.ts"
import { makeWriteFiles } from "./TaskFiles.ts"
import { ToolJournal } from "./ToolJournal.ts"

/** A task being run, the way to ask for its end, and what is known of its row. */
export interface Run {
  readonly claim: Claim
  readonly handover: Handover
  readonly trace: RunTrace
  /** When the database was last asked whether the run still owns the task (UTC, ms). */
  confirmedAt: number
  /** The row says why the task waits, or why it broke off. */
  isProblemShown: boolean
  /** Earlier runs that broke off do not count any more. */
  hasRecovered: boolean
  /** What the row said last of how much the model shall think. */
  effort: Effort | null
}

type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

/** Carries out a command; fails where the run does not own its task any more, or is to leave it. */
type Perform = (
  run: Run,
  command: Command
) => Effect.Effect<Observation, LeaseLost | HandedOver | TaskNotFound | DatabaseUnavailable>

const seen = (observation: Observation): Observation => observation

/** What the model is told when its task had to leave its desktop. */
const movedNote =
  "This task continues on another desktop, since the one before does not answer any more. The task's files are on the new desktop too; windows, programs and everything else that was done before are not. Look at the screen before you go on."

/** How commands are carried out. */
export const makePerform = Effect.gen(function* () {
  const conversations = yield* Conversations
  const journal = yield* ToolJournal
  const checkpoint = yield* makeCheckpoint
  const writeFiles = yield* makeWriteFiles
  const { countSpent, readNews, runTool, storeReply } = yield* makeSteps(checkpoint)
  const { ask, summarise } = yield* makeAsking
  const { arrive, finish, storeResults } = yield* makeTransactions

  const perform: Perform = (run, command) => {
    const { claim, handover } = run
    const { lease } = claim
    switch (command._tag) {
      case "Load":
        return Effect.map(conversations.load(lease.taskId), ({ conversation, effort }) => {
          run.effort = effort
          return seen({ _tag: "Loaded", conversation })
        })
      case "Recall":
        return Effect.map(journal.recall(claim, command.reply), (answers) => seen({ _tag: "Recalled", answers }))
      case "WriteFiles":
        return Effect.map(writeFiles(claim, checkpoint(claim, handover)), (isTold) => ({
          _tag: "FilesWritten",
          isTold
        }))
      case "Arrive":
        return Effect.as(arrive(lease, command.isTold), seen({ _tag: "Arrived" }))
      case "CountSpent":
        return Effect.map(countSpent(claim), (spent) => seen({ _tag: "Counted", spent }))
      case "NextIteration":
        return Effect.as(checkpoint(claim, handover), seen({ _tag: "Ready" }))
      case "Nudge":
        return Effect.map(conversations.appendNote(lease, command.text), (entry) =>
          seen({ _tag: "Nudged", entry })
        ).pipe(Effect.tap(Effect.logInfo("The model seems to be stuck and is told so")))
      case "AskModel":
        return ask(run, command)
      case "StoreReply":
        return Effect.map(storeReply(lease, command), (entry) => seen({ _tag: "ReplyStored", entry }))
      case "Summarise":
        return summarise(run, command)
      case "RunTool":
        return Effect.map(runTool(run, command), ({ stored, ...answer }) => seen({ _tag: "ToolDone", answer, stored }))
      case "StoreResults":
        return Effect.map(storeResults(lease, command), (entry) => seen({ _tag: "ResultsStored", entry }))
      case "ReadNews":
        return Effect.map(readNews(run, command), (entries) => seen({ _tag: "News", entries }))
      case "Finish":
        return Effect.as(finish(lease, command.outcome), seen({ _tag: "Finished" }))
      case "Stop":
      case "Break":
        return Effect.succeed(seen({ _tag: "Stopped" }))
    }
  }
  return perform
})

/** What takes more than one call of a service. */
const makeSteps = Effect.fnUntraced(function* (checkpoint: Checkpoint) {
  const conversations = yield* Conversations
  const journal = yield* ToolJournal
  const models = yield* ModelCalls
  const runs = yield* TaskRuns
  const usage = yield* Usage

  const storeReply = Effect.fnUntraced(function* (lease: Lease, { call, content }: Of<"StoreReply">) {
    const entry = yield* conversations.appendReply(lease, content, call)
    yield* measure(metrics.iterations, 1)
    yield* Effect.logInfo("Model answered").pipe(
      Effect.annotateLogs({ tokensIn: call.tokens.input, tokensOut: call.tokens.output })
    )
    return entry
  })

  /** An iteration has worked. */
  const readNews = Effect.fnUntraced(function* (run: Run, { after, own }: Of<"ReadNews">) {
    const { lease } = run.claim
    if (!run.hasRecovered) yield* runs.recovered(lease)
    run.hasRecovered = true
    run.confirmedAt = yield* Clock.currentTimeMillis
    const { effort, entries } = yield* conversations.since(lease, after, own)
    run.effort = effort
    return entries
  })

  /** Between the database's word that the task is still ours and the model's call there must be no time to be frozen in. */
  const countSpent = Effect.fnUntraced(function* ({ interruptedAt, lease, task }: Claim) {
    const spent = yield* usage.spent(lease.taskId, interruptedAt)
    yield* models.load(task.model)
    return spent
  })

  const runTool = Effect.fnUntraced(function* ({ claim, handover }: Run, { before, index, reply }: Of<"RunTool">) {
    yield* checkpoint(claim, handover)
    return yield* journal.run(claim, reply, index, before)
  })

  return { countSpent, readNews, runTool, storeReply }
})

/** Calls of the model. */
const makeAsking = Effect.gen(function* () {
  const conversations = yield* Conversations
  const drafts = yield* Drafts
  const models = yield* ModelCalls
  const runs = yield* TaskRuns
  const { effort } = yield* Settings

  /** Does not ask on behalf of a task that has moved on while this process was frozen: that would be paid for nothing. */
  const confirm = Effect.fnUntraced(function* (run: Run) {
    for (;;) {
      const now = yield* Clock.currentTimeMillis
      if (now - run.confirmedAt < leaseValidFor) return
      run.confirmedAt = now
      yield* runs.confirm(run.claim.lease)
    }
  })

  /** While the model keeps the task waiting, its row says why. */
  const patiently = Effect.fnUntraced(function* <A, E, R>(
    run: Run,
    call: (waiting: (reason: string) => ReturnType<typeof tell>) => Effect.Effect<A, E, R>
  ) {
    const answer = yield* Effect.ensuring(
      call((reason) => tell(run, reason)),
      run.handover.waitsNoMore
    )
    if (run.isProblemShown) yield* runs.showProblem(run.claim.lease, null)
    run.isProblemShown = false
    return answer
  })

  const tell = Effect.fnUntraced(function* (run: Run, reason: string) {
    yield* run.handover.waits
    yield* runs.showProblem(run.claim.lease, reason)
    run.isProblemShown = true
  })

  const reply = Effect.fnUntraced(function* (run: Run, { conversation }: Of<"AskModel">) {
    const { lease, task } = run.claim
    const asking = { ...task, effort: run.effort ?? Option.getOrUndefined(effort) }
    yield* confirm(run)
    const draft = yield* drafts.begin({ taskId: lease.taskId, userId: run.claim.userId })
    const answer = yield* patiently(run, (waiting) => models.reply(asking, conversation, draft, waiting))
    if (answer.content.length === 0) yield* conversations.recordEmptyReply(lease.taskId, answer.call)
    else draft.keep()
    return answer
  }, Effect.scoped)

  const ask = (run: Run, command: Of<"AskModel">) =>
    reply(run, command).pipe(
      Effect.map((answer) => seen({ _tag: "Replied", ...answer })),
      Effect.catchTag("ModelError", ({ message, reason }) =>
        reason === "ContextTooLong" || (reason === "InvalidRequest" && isLong(command.conversation))
          ? Effect.as(
              Effect.logWarning("The conversation is too long for the model"),
              seen({ _tag: "TooLong", message })
            )
          : Effect.succeed(seen({ _tag: "ModelFailed", message }))
      )
    )

  const hide = Effect.fnUntraced(function* (run: Run, { isForced, split: { covered, through } }: Of<"Summarise">) {
    yield* run.handover.boundary
    yield* confirm(run)
    const { lease, task } = run.claim
    const { call, content } = yield* patiently(run, (waiting) =>
      models.summary(task, covered, isForced ? Option.some(waiting) : Option.none())
    )
    const parentId = covered.summary._tag === "Some" ? covered.summary.value.id : null
    const id = yield* conversations.summarize(lease, { content, parentId, through }, call)
    return { summary: { id, content }, call }
  })

  const summarise = (run: Run, command: Of<"Summarise">) =>
    hide(run, command).pipe(
      Effect.map((done) => seen({ _tag: "Summarised", ...done })),
      Effect.catchTag("ModelError", ({ message }) =>
        Effect.as(
          Effect.logWarning("The conversation could not be summarised", message),
          seen({ _tag: "SummaryFailed", message })
        )
      )
    )

  return { ask, summarise }
})

/** What is stored together. */
const makeTransactions = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const analytics = yield* Analytics
  const conversations = yield* Conversations
  const journal = yield* ToolJournal
  const runs = yield* TaskRuns

  const arrive = (lease: Lease, isTold: boolean) =>
    (isTold ? Effect.asVoid(conversations.appendNote(lease, movedNote)) : Effect.void).pipe(
      Effect.andThen(runs.arrived(lease)),
      transaction(sql)
    )

  const report = Effect.fnUntraced(function* ({ taskId }: Lease, outcome: Outcome) {
    const { status } = outcome
    // What the model says of its work is the task's own: it is not for stored logs.
    const reason = status === "COMPLETED" ? Redacted.make(outcome.description) : outcome.error
    yield* Effect.logInfo("Task ended").pipe(Effect.annotateLogs({ status, reason }))
    if (status !== "NEEDS_HELP") yield* analytics.report(taskId)
  })

  const finish = (lease: Lease, outcome: Outcome) => Effect.andThen(runs.finish(lease, outcome), report(lease, outcome))

  const storeResults = (lease: Lease, { end, reply, results }: Of<"StoreResults">) => {
    const stored = journal.store(lease, reply, results)
    return end === undefined
      ? stored
      : stored.pipe(
          Effect.tap(() => runs.finish(lease, end)),
          transaction(sql),
          Effect.tap(() => report(lease, end))
        )
  }

  return { arrive, finish, storeResults }
})
