import { Array as Arr, Clock, Context, DateTime, Duration, Effect, Fiber, Layer, Option, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { Analytics } from "../analytics/Analytics.ts"
import { Settings } from "../config/Settings.ts"
import { inHaste, transaction, withoutHaste } from "../database/DatabaseRetry.ts"
import { Desktops } from "../desktop/Desktops.ts"
import { Caller, everybody } from "../domain/Caller.ts"
import { type ToolResultBlock, type ToolUseBlock, text, toolResult } from "../domain/ContentBlock.ts"
import type { DatabaseUnavailable, TaskNotFound } from "../domain/TaskErrors.ts"
import { desktopFileNames } from "../domain/TaskFile.ts"
import {
  type AnsweredCall,
  type Conversation,
  Conversations,
  type Entry,
  type Execution,
  openReply,
  toolUses
} from "../messages/Conversations.ts"
import { measure, metrics } from "../observability/Metrics.ts"
import { replacedWithin } from "../placement/Cluster.ts"
import type { Lease } from "../tasks/Lease.ts"
import { type Claim, type Outcome, TaskRuns } from "../tasks/TaskRuns.ts"
import { Tasks } from "../tasks/Tasks.ts"
import { Usage } from "../tasks/Usage.ts"
import type { Handover } from "./Handover.ts"
import { ModelCalls } from "./ModelCalls.ts"
import { follow, judge, noProgress, type Progress } from "./Progress.ts"
import { RunTrace } from "./RunTrace.ts"
import { nothingShown, type Shown, thinOut, withinLimits } from "./Screenshots.ts"
import { type ToolOutcome, ToolRunner } from "./ToolRunner.ts"
import { changedBy } from "./Tools.ts"

const unknownOutcome =
  "The service was interrupted during this action; it may or may not have taken effect. Look at the screen before you go on."
const notExecuted = "Not executed: the work was interrupted before this action. Look at the screen before you go on."

/**
 * How old the database's word that a run owns its task may be when it acts. Less than the time after which another replica takes over
 * from one that hangs.
 */
const freshFor = Duration.toMillis(replacedWithin) / 2

/** What the model is told when its task had to leave its desktop. */
const movedNote =
  "This task continues on another desktop, since the one before does not answer any more. The task's files are on the new desktop too; windows, programs and everything else that was done before are not. Look at the screen before you go on."

/** Runs one claimed task until it ends or this run no longer owns it (agent.md, "One task"). */
export class AgentLoop extends Context.Service<
  AgentLoop,
  {
    /**
     * Ends when the task needs nothing more from the agent, or at the next boundary once a handover is asked for. Interruption stops it at
     * once, but never in the middle of a desktop action.
     */
    readonly run: (claim: Claim, handover: Handover) => Effect.Effect<void, DatabaseUnavailable>
  }
>()("bytebot/AgentLoop") {
  static readonly layer = Layer.effect(
    AgentLoop,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const scope = yield* Effect.scope
      const { desktops: configured, keepScreenshots, maxIterations, taskCostBudget, taskTokenBudget } = yield* Settings
      const analytics = yield* Analytics
      const conversations = yield* Conversations
      const desktops = yield* Desktops
      const models = yield* ModelCalls
      const runs = yield* TaskRuns
      const runner = yield* ToolRunner
      const tasks = yield* Tasks
      const usage = yield* Usage

      const budgets = { tokens: Option.getOrUndefined(taskTokenBudget), cost: Option.getOrUndefined(taskCostBudget) }

      const finish = Effect.fnUntraced(function* (lease: Lease, outcome: Outcome) {
        yield* runs.finish(lease, outcome)
        yield* Effect.logInfo("Task ended").pipe(Effect.annotateLogs({ status: outcome.status }))
        if (outcome.status !== "NEEDS_HELP") yield* analytics.report(lease.taskId)
      })

      /** Waits while the desktop does not answer; the task's row says so. */
      const untilThere = Effect.fn("AgentLoop.untilThere")(function* ({ claim: { lease }, handover }: Run) {
        const { contact } = desktops.at(lease.desktop)
        yield* handover.waits
        yield* contact.until("Answering", "Lost")
        if (contact.state._tag !== "Lost") return
        const name = configured.find(({ url }) => url === lease.desktop)?.name ?? "it"
        yield* Effect.logWarning("The desktop does not answer, the task waits").pipe(
          Effect.annotateLogs({ desktop: name })
        )
        yield* runs.showProblem(lease, `Waiting for the desktop: ${name} does not answer`)
        yield* contact.until("Answering")
        yield* runs.showProblem(lease, null)
      })

      /** A place where a run can stop, and where it waits for a desktop that does not answer. */
      const boundary = (run: Run) =>
        Effect.suspend(() => {
          const state = desktops.at(run.claim.lease.desktop).contact.state._tag
          const isThere = state === "Answering" || state === "Unknown"
          return isThere
            ? run.handover.boundary
            : Effect.andThen(Effect.ensuring(untilThere(run), run.handover.waitsNoMore), run.handover.boundary)
        })

      /** The task's files, written where its first message says that they are. */
      const writeFiles = Effect.fn("AgentLoop.writeFiles")(function* (run: Run) {
        const { lease } = run.claim
        const { files } = yield* Effect.provideService(tasks.get(lease.taskId), Caller, everybody)
        const desktop = desktops.at(lease.desktop)
        const names = desktopFileNames(files.map(({ name }) => name))
        const write = Effect.fnUntraced(function* ({ data }: (typeof files)[number], index: number) {
          const until = (yield* Clock.currentTimeMillis) + freshFor
          yield* runs.confirm(lease)
          yield* desktop.writeFile(`/home/user/Desktop/${names[index]}`, data, until)
        })
        yield* Effect.forEach(
          files,
          (file, index) =>
            Effect.retry(
              Effect.tapError(write(file, index), () => boundary(run)),
              {
                while: ({ _tag }) => _tag === "DesktopFailed",
                schedule: Schedule.exponential("500 millis"),
                times: 5
              }
            ),
          { discard: true }
        )
      })

      /**
       * Tools that may stand in the journal as started but never were: an outage interrupted their runs while they were recorded. This
       * process knows, and its next run need not call their outcome unknown.
       */
      const unstarted = new Set<string>()

      /** Results that an outage keeps from being stored, by their reply: they outlive their run. */
      const storing = new Map<string, Fiber.Fiber<unknown, unknown>>()

      /** Records the tool as started, and says until when it may be: a process that is frozen meanwhile does not know what becomes of its task. */
      const startTool = Effect.fnUntraced(function* (lease: Lease, reply: Entry, index: number) {
        for (;;) {
          const until = (yield* Clock.currentTimeMillis) + freshFor
          yield* conversations.startTool(lease, reply.id, index)
          if ((yield* Clock.currentTimeMillis) < until) return until
        }
      })

      /**
       * One tool_use: recorded as started, carried out, recorded as done. Not to be torn apart. What changes nothing needs no record. After
       * the last one of a reply, the results `before` it are stored along with its own: as `entry`, where that has been done.
       */
      const runTool = (
        claim: Claim,
        reply: Entry,
        use: ToolUseBlock,
        index: number,
        before: ReadonlyArray<ToolResultBlock> | undefined
      ) =>
        Effect.uninterruptibleMask(
          Effect.fnUntraced(function* (restore) {
            const changed = changedBy(use)
            const isRecorded = changed !== "nothing"
            const key = `${reply.id}:${index}`
            const until = isRecorded
              ? yield* restore(startTool(claim.lease, reply, index)).pipe(
                  Effect.onInterrupt(() => Effect.sync(() => unstarted.add(key)))
                )
              : Number.POSITIVE_INFINITY
            const place = { desktop: claim.lease.desktop, key, until }
            const running = runner.run(claim.task, use, place, restore)
            // Rows are known again when they are written twice: that may wait for the database, and be broken off.
            const done = yield* changed === "database" ? restore(running) : inHaste(running)
            if (!isRecorded) return { ...done, entry: undefined }
            const record =
              before === undefined || done.outcome !== undefined
                ? Effect.as(conversations.finishTool(reply.id, index, done.result), undefined)
                : conversations.finishLastTool(claim.lease, reply.id, index, Arr.append(before, done.result))
            const stored = yield* record.pipe(
              Effect.ensuring(Effect.sync(() => storing.delete(reply.id))),
              Effect.forkIn(scope)
            )
            storing.set(reply.id, stored)
            yield* Effect.timeoutOption(Fiber.await(stored), "2 seconds")
            return { ...done, entry: yield* restore(Fiber.join(stored)) }
          })
        )

      /**
       * What the journal has of a tool_use; undefined where it is to be carried out (again). The outcome of an action that was broken
       * off is unknown from now on, whatever a former run may still find out.
       */
      const recall = Effect.fnUntraced(function* (
        reply: Entry,
        use: ToolUseBlock,
        { index, result: known }: Execution,
        isStale: boolean
      ) {
        if (known !== null) return known
        const wasNotStarted = unstarted.delete(`${reply.id}:${index}`)
        if ((wasNotStarted || changedBy(use) !== "desktop") && !isStale) return undefined
        const result = toolResult(use.id, [text(unknownOutcome)], true)
        yield* conversations.finishTool(reply.id, index, result)
        return result
      })

      /** Carries out what is open of a reply, and stores all its results in one message. */
      const runTools = Effect.fn("AgentLoop.runTools")(function* (run: Run, reply: Entry, isNew: boolean) {
        const { claim } = run
        const pending = storing.get(reply.id)
        if (pending !== undefined) yield* Fiber.await(pending)
        const journal = isNew ? [] : yield* conversations.executions(reply.id)
        const isStale =
          !isNew && claim.interruptedAt !== null && DateTime.isLessThanOrEqualTo(reply.createdAt, claim.interruptedAt)
        const outcomes: Array<ToolOutcome> = []
        const uses = toolUses(reply.content)
        let stored: Entry | undefined
        for (const [index, use] of uses.entries()) {
          const known = journal.find((execution) => execution.index === index)
          const recalled = known === undefined ? undefined : yield* recall(reply, use, known, isStale)
          if (recalled !== undefined) {
            outcomes.push({ result: recalled, outcome: undefined })
          } else if (isStale) {
            outcomes.push({ result: toolResult(use.id, [text(notExecuted)], true), outcome: undefined })
          } else {
            yield* boundary(run)
            const isLast = index === uses.length - 1 && endOf(outcomes) === undefined
            const done = yield* runTool(claim, reply, use, index, isLast ? resultsOf(outcomes) : undefined)
            outcomes.push(done)
            stored = done.entry
          }
        }
        if (stored !== undefined) return { entry: stored, ended: false }
        const end = endOf(outcomes)
        const append = conversations.appendResults(claim.lease, reply.id, resultsOf(outcomes))
        const entry = yield* end === undefined
          ? append
          : append.pipe(
              Effect.tap(() => runs.finish(claim.lease, end)),
              transaction(sql)
            )
        if (end !== undefined) {
          yield* Effect.logInfo("Task ended").pipe(Effect.annotateLogs({ status: end.status }))
          if (end.status !== "NEEDS_HELP") yield* analytics.report(claim.lease.taskId)
        }
        return { entry, ended: end !== undefined }
      })

      /** Does not ask on behalf of a task that has moved on while this process was frozen: that would be paid for nothing. */
      const confirm = Effect.fnUntraced(function* (lease: Lease, state: RunState) {
        for (;;) {
          const now = yield* Clock.currentTimeMillis
          if (now - state.confirmedAt < freshFor) return
          state.confirmedAt = now
          yield* runs.confirm(lease)
        }
      })

      /** Hides what `covered` holds behind a summary of it; what is `left` goes on after the summary. */
      const hide = Effect.fnUntraced(function* (
        claim: Claim,
        state: RunState,
        covered: Conversation,
        through: bigint,
        left: ReadonlyArray<Entry>
      ) {
        yield* confirm(claim.lease, state)
        const { call, content } = yield* models.summary(claim.task.model, covered)
        const parentId = Option.getOrNull(Option.map(covered.summary, ({ id }) => id))
        const id = yield* conversations.summarize(claim.lease, { content, parentId, through }, call)
        const after: Conversation = { summary: Option.some({ id, content }), entries: left }
        return { conversation: after, call }
      })

      /** After a reply that says that the context is nearly full. A failure is logged and leaves everything as it is. */
      const summarize = Effect.fn("AgentLoop.summarize")(function* (claim: Claim, state: RunState) {
        const { conversation } = state
        const last = conversation.entries.at(-1)
        if (last === undefined) return Option.none()
        return yield* hide(claim, state, conversation, last.position, []).pipe(
          Effect.map(Option.some),
          Effect.catchTag("ModelError", (error) =>
            Effect.as(Effect.logWarning("The conversation could not be summarised", error.message), Option.none())
          )
        )
      })

      /** The next reply; while the model keeps the task waiting, its row says why. A context that is too long is made shorter, once. */
      const ask = Effect.fnUntraced(function* ({ claim, handover }: Run, state: RunState) {
        const { lease, task } = claim
        const waiting = Effect.fnUntraced(function* (reason: string) {
          yield* handover.waits
          yield* runs.showProblem(lease, reason)
          state.isProblemShown = true
        })
        const reply = Effect.suspend(() => models.reply(task.model, state.conversation, waiting)).pipe(
          Effect.ensuring(handover.waitsNoMore)
        )
        const answer = yield* reply.pipe(
          Effect.catchIf(
            (error) => error._tag === "ModelError" && error.reason === "ContextTooLong",
            (error) =>
              Effect.gen(function* () {
                yield* Effect.logWarning("The conversation is too long for the model, summarising it")
                const { covered, left, through } = yield* Effect.fromOption(splitForSummary(state.conversation)).pipe(
                  Effect.mapError(() => error)
                )
                const { call, conversation } = yield* hide(claim, state, covered, through, left)
                spend(state, call)
                state.conversation = conversation
                state.shown = nothingShown
                return yield* reply
              })
          )
        )
        if (state.isProblemShown) yield* runs.showProblem(lease, null)
        state.isProblemShown = false
        return answer
      })

      /** Adds what was stored to what the model is shown; old pictures of the screen are left out, and not kept in memory. */
      const remember = (state: RunState, added: ReadonlyArray<Entry>): void => {
        const { entries, shown } = thinOut([...state.conversation.entries, ...added], state.shown, keepScreenshots)
        state.progress = follow(state.progress, added)
        state.conversation = { ...state.conversation, entries }
        state.shown = shown
      }

      const exhausted = ({ spent }: RunState): string | undefined => {
        if (spent.replies >= maxIterations) return `The task used all of its ${maxIterations} iterations`
        if (budgets.tokens !== undefined && spent.tokens >= budgets.tokens) {
          return `The task used up its budget of ${budgets.tokens} tokens`
        }
        if (budgets.cost !== undefined && spent.cost >= budgets.cost) {
          return `The task used up its budget of ${budgets.cost} US dollars`
        }
        return undefined
      }

      /** One reply of the model, its tools, and what people wrote meanwhile; true when the task ended with it. */
      const iterate = Effect.fn("AgentLoop.iterate")(function* (run: Run, state: RunState) {
        const { claim, handover } = run
        yield* Effect.annotateCurrentSpan({ "task.id": claim.lease.taskId, iteration: state.spent.replies + 1 })
        yield* confirm(claim.lease, state)
        const reply = yield* ask(run, state)
        if (reply.content.length === 0) {
          yield* finish(claim.lease, { status: "FAILED", error: "The model's answer was empty" })
          return true
        }
        const entry = yield* conversations.appendReply(claim.lease, reply.content, reply.call)
        spend(state, reply.call)
        state.spent.replies++
        yield* measure(metrics.iterations, 1)
        yield* Effect.logInfo("Model answered").pipe(
          Effect.annotateLogs({
            iteration: state.spent.replies,
            tokensIn: reply.call.tokens.input,
            tokensOut: reply.call.tokens.output
          })
        )
        if (reply.isCrowded) {
          yield* handover.boundary
          const summarized = yield* summarize(claim, state)
          if (Option.isSome(summarized)) {
            spend(state, summarized.value.call)
            state.conversation = summarized.value.conversation
            state.shown = nothingShown
          }
        }
        const own = [entry]
        if (toolUses(reply.content).length > 0) {
          const { ended, entry: results } = yield* runTools(run, entry, true)
          if (ended) return true
          own.push(results)
        }
        // What a person wrote meanwhile may stand before the reply: it was stored while the model was thinking.
        const ids = own.map(({ id }) => id)
        state.confirmedAt = yield* Clock.currentTimeMillis
        const news = yield* conversations.since(claim.lease, state.seen, ids)
        const added = [...own, ...news].sort((a, b) => (a.position < b.position ? -1 : 1))
        state.seen = added.at(-1)?.position ?? state.seen
        remember(state, added)
        return false
      })

      /** What the rules for stuck and costly tasks ask for; true when the task ended with it. */
      const guard = Effect.fnUntraced(function* (claim: Claim, state: RunState) {
        const limit = exhausted(state)
        const verdict = judge(state.progress)
        const reason = limit ?? (verdict._tag === "AskForHelp" ? verdict.reason : undefined)
        if (reason !== undefined) {
          yield* finish(claim.lease, { status: "NEEDS_HELP", error: reason })
          return true
        }
        if (verdict._tag === "Nudge") {
          yield* Effect.logInfo("The model seems to be stuck and is told so")
          const entry = yield* conversations.appendNote(claim.lease, verdict.nudge)
          state.seen = entry.position
          remember(state, [entry])
        }
        return false
      })

      const loop = Effect.fnUntraced(function* (run: Run, loaded: Conversation) {
        const { claim } = run
        const state: RunState = {
          conversation: { ...loaded, entries: [] },
          shown: nothingShown,
          progress: noProgress,
          seen: loaded.entries.at(-1)?.position ?? 0n,
          spent: { ...(yield* run.trace.step(usage.spent(claim.lease.taskId, claim.interruptedAt))) },
          isProblemShown: claim.task.error !== null,
          confirmedAt: DateTime.toEpochMillis(claim.claimedAt)
        }
        remember(state, loaded.entries)
        // Between the database's word that the task is still ours and the call there must be no time to be frozen in.
        yield* models.load(claim.task.model)
        for (;;) {
          const isOver = yield* run.trace.step(
            Effect.gen(function* () {
              yield* boundary(run)
              return (yield* guard(claim, state)) || (yield* iterate(run, state))
            })
          )
          if (isOver) return
        }
      })

      /** What a run does before its first iteration; the conversation then, none where the task has ended with it. */
      const prepare = Effect.fnUntraced(function* (run: Run) {
        const { claim } = run
        const first = yield* conversations.load(claim.lease.taskId)
        const open = openReply(first.entries)
        if (Option.isSome(open)) {
          const { ended } = yield* runTools(run, open.value, false)
          if (ended) return Option.none()
        }
        const isFresh = Option.isNone(first.summary) && !first.entries.some((entry) => entry.role === "ASSISTANT")
        if (isFresh || claim.hasMoved) yield* writeFiles(run)
        if (claim.hasMoved) {
          yield* (isFresh ? Effect.void : conversations.appendNote(claim.lease, movedNote)).pipe(
            Effect.andThen(runs.arrived(claim.lease)),
            transaction(sql)
          )
        }
        const isChanged = Option.isSome(open) || claim.hasMoved
        return Option.some(isChanged ? yield* conversations.load(claim.lease.taskId) : first)
      })

      const drive = Effect.fnUntraced(function* (run: Run) {
        const loaded = yield* run.trace.step(prepare(run))
        if (Option.isSome(loaded)) yield* loop(run, loaded.value)
      })

      /** After a takeover or a cancel: the tools that were not run any more are answered, so that the record is complete. */
      const settle = Effect.fn("AgentLoop.settle")(function* (claim: Claim) {
        const { taskId } = claim.lease
        const standing = yield* runs.standing(taskId)
        // Where the task goes on, its next run sees to that.
        const goesOn = Option.exists(standing, ({ control, status }) => status === "RUNNING" && control === "ASSISTANT")
        if (Option.isNone(standing) || goesOn) return
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

      const run = Effect.fnUntraced(function* (claim: Claim, handover: Handover) {
        const trace = new RunTrace(claim)
        const fail = (error: string) => trace.step(finish(claim.lease, { status: "FAILED", error: shortened(error) }))
        yield* Effect.logInfo("Task started").pipe(
          Effect.andThen(drive({ claim, handover, trace })),
          Effect.catchTags({
            ModelError: (error) => fail(error.message),
            DesktopFailed: (error) => fail(`The task's files could not be written to the desktop: ${error.message}`)
          }),
          Effect.catchTags({
            HandedOver: () => Effect.logInfo("Task left to another worker"),
            LeaseLost: () => Effect.logInfo("Task taken out of this run's hands"),
            TaskNotFound: (_: TaskNotFound) => Effect.void
          }),
          withoutHaste,
          Effect.ensuring(
            trace.step(settle(claim)).pipe(
              Effect.timeout(Duration.seconds(10)),
              Effect.catchCause((cause) => Effect.logWarning("The results of a broken off run were not stored", cause))
            )
          ),
          Effect.onExit((exit) => trace.end(exit)),
          Effect.annotateLogs({ taskId: claim.lease.taskId })
        )
      })

      return AgentLoop.of({ run })
    })
  )
}

/** A task being run, and the way to ask for its end. */
interface Run {
  readonly claim: Claim
  readonly handover: Handover
  readonly trace: RunTrace
}

/** What a run keeps in memory between its iterations. */
interface RunState {
  conversation: Conversation
  shown: Shown
  progress: Progress
  /** Position of the newest message that the run knows of. */
  seen: bigint
  readonly spent: { replies: number; tokens: number; cost: number }
  isProblemShown: boolean
  /** When the database was last asked whether the run still owns the task (UTC, ms). */
  confirmedAt: number
}

const endOf = (outcomes: ReadonlyArray<ToolOutcome>) =>
  outcomes.findLast(({ outcome }) => outcome !== undefined)?.outcome
const resultsOf = (outcomes: ReadonlyArray<ToolOutcome>) => outcomes.map(({ result }) => result)

const spend = ({ spent }: RunState, { cost, tokens }: AnsweredCall): void => {
  spent.tokens += tokens.input + tokens.output
  spent.cost += cost ?? 0
}

const sizeOf = (entries: ReadonlyArray<Entry>): number =>
  entries.reduce((sum, { content }) => sum + JSON.stringify(content).length, 0)

/**
 * What to hide behind a summary when the whole is too long: all but the last step, so that the model still sees the screen; that too
 * if it is the larger part. Pictures and documents are left out of what is summarised, or that would be too long as well.
 */
const splitForSummary = ({ entries, summary }: Conversation) => {
  const lastReply = entries.findLastIndex(({ role }) => role === "ASSISTANT")
  const tail = lastReply <= 0 ? [] : entries.slice(lastReply)
  const left = sizeOf(tail) * 2 > sizeOf(entries) ? [] : tail
  const covered = entries.slice(0, entries.length - left.length)
  return Option.map(Option.fromNullishOr(covered.at(-1)), ({ position }) => ({
    covered: { summary, entries: withinLimits(covered, { images: 0, bytes: 0 }) },
    left,
    through: position
  }))
}

/** `error` is shown to people: a line or two of it. */
const shortened = (message: string): string => (message.length > 500 ? `${message.slice(0, 499)}…` : message)
