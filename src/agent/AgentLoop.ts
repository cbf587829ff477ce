import { Cause, Context, DateTime, Duration, Effect, Layer, Option, Redacted } from "effect"
import { withoutCredentials } from "../config/Credentials.ts"
import { Settings } from "../config/Settings.ts"
import { retryUntilAvailable } from "../database/DatabaseRetry.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { Placement } from "../placement/Placement.ts"
import { BrokenRuns } from "../tasks/BrokenRuns.ts"
import type { Claim } from "../tasks/Claims.ts"
import type { Lease } from "../tasks/Lease.ts"
import type { Handover } from "./Handover.ts"
import { makePerform, type Run } from "./Perform.ts"
import { RunTrace } from "./RunTrace.ts"
import type { Command } from "./run/Command.ts"
import { begin, decide, isOver } from "./run/decide.ts"
import type { Observation } from "./run/Observation.ts"
import type { Facts } from "./run/RunState.ts"
import type { Step } from "./run/Step.ts"
import { ToolJournal } from "./ToolJournal.ts"

/** Runs one claimed task until it ends or this run no longer owns it (docs/contract/agent.md, "One task"): carries out what `decide` commands. */
export class AgentLoop extends Context.Service<
  AgentLoop,
  {
    /**
     * Ends when the task needs nothing more from the agent, or at the next checkpoint once a handover is asked for. Interruption stops it at
     * once, but never in the middle of a desktop action. A run that breaks off by a fault is recorded as such.
     */
    readonly run: (claim: Claim, handover: Handover) => Effect.Effect<void, DatabaseUnavailable>
  }
>()("bytebot/AgentLoop") {
  static readonly layer = Layer.effect(
    AgentLoop,
    Effect.gen(function* () {
      const broken = yield* BrokenRuns
      const journal = yield* ToolJournal
      const placement = yield* Placement
      const drive = yield* makeDrive
      /** A fault that can't even be recorded must not bring the task back at once. */
      const breakOff = (lease: Lease, cause: Cause.Cause<unknown>) =>
        broken.record(lease, cause).pipe(
          Effect.flatMap(
            Option.match({ onNone: () => Effect.void, onSome: (at) => placement.wakeAt(lease.desktop, at) })
          ),
          Effect.catchCauseIf(Cause.hasDies, (second) =>
            Effect.andThen(
              Effect.logError("That a run broke off could not be stored, the desktop waits", second),
              Effect.sleep("30 seconds")
            )
          )
        )

      const run = Effect.fnUntraced(function* (claim: Claim, handover: Handover) {
        const trace = new RunTrace(claim)
        yield* Effect.logInfo(claim.lease.epoch === 1 ? "Task started" : "Task goes on").pipe(
          Effect.annotateLogs({
            desktop: withoutCredentials(claim.lease.desktop),
            description: Redacted.make(claim.task.description)
          }),
          Effect.andThen(
            drive({
              claim,
              handover,
              trace,
              confirmedAt: DateTime.toEpochMillis(claim.claimedAt),
              isProblemShown: claim.task.error !== null,
              hasRecovered: claim.failures === 0,
              effort: null
            })
          ),
          Effect.catchCauseIf(Cause.hasDies, (cause) => trace.step(breakOff(claim.lease, cause))),
          retryUntilAvailable,
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

      const settle = Effect.fn("AgentLoop.settle")(journal.settle)

      return AgentLoop.of({ run })
    })
  )
}

/** Carries out commands until the run is over; each iteration is a step of its trace. */
const makeDrive = Effect.gen(function* () {
  const settings = yield* Settings
  const perform = yield* makePerform
  const limits = {
    iterations: settings.maxIterations,
    tokens: Option.getOrUndefined(settings.taskTokenBudget),
    cost: Option.getOrUndefined(settings.taskCostBudget),
    waiting: Duration.toMillis(Duration.minutes(settings.maxWaitMinutes)),
    screenshots: settings.keepScreenshots
  }

  /** What came of a command; the run is stopped where its task is not its own any more. */
  const observe = (run: Run, command: Command) =>
    perform(run, command).pipe(
      Effect.catchTags({
        HandedOver: () => Effect.as(Effect.logInfo("Task left to another worker"), stopped),
        LeaseLost: () => Effect.as(Effect.logInfo("Task taken out of this run's hands"), stopped),
        TaskNotFound: () => Effect.succeed(stopped)
      })
    )

  /** Carries out commands, and what follows from them, as long as they are of one kind. */
  const follow: (
    run: Run,
    step: Step,
    isIncluded: (command: Command) => boolean
  ) => Effect.Effect<Step, DatabaseUnavailable> = Effect.fnUntraced(function* (run, first, isIncluded) {
    let step = first
    while (!isOver(step[1]) && isIncluded(step[1])) {
      const [state, command] = step
      step =
        isOfTools(command) && isIncluded !== isOfTools
          ? yield* runTools(run, step)
          : decide(state, yield* observe(run, command))
    }
    return step
  })

  const runTools = Effect.fn("AgentLoop.runTools")((run: Run, step: Step) => follow(run, step, isOfTools))

  const iterate = Effect.fn("AgentLoop.iterate")(function* (run: Run, step: Step) {
    const iteration = step[0].memory.spent.replies + 1
    yield* Effect.annotateCurrentSpan({ "task.id": run.claim.lease.taskId, iteration })
    return yield* Effect.annotateLogs(follow(run, step, isOfIteration), { iteration })
  })

  /** What the rules say before an iteration, and the iteration. */
  const inTurn = Effect.fnUntraced(function* (run: Run, step: Step) {
    const ready = yield* follow(run, step, (command) => !isAsking(command))
    return isOver(ready[1]) ? ready : yield* iterate(run, ready)
  })

  const drive = Effect.fnUntraced(function* (run: Run) {
    const facts: Facts = { limits, hasMoved: run.claim.hasMoved }
    let step = yield* run.trace.step(follow(run, begin(facts), isOfIteration))
    while (!isOver(step[1])) step = yield* run.trace.step(inTurn(run, step))
    if (step[1]._tag === "Break") return yield* Effect.die(new Error(step[1].reason))
  })

  return drive
})

const stopped: Observation = { _tag: "Stopped" }

const isOfTools = ({ _tag }: Command): boolean => _tag === "Recall" || _tag === "RunTool" || _tag === "StoreResults"
const isOfIteration = ({ _tag }: Command): boolean => _tag !== "NextIteration"
const isAsking = ({ _tag }: Command): boolean => _tag === "AskModel"
