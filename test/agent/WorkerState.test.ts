import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  claimOf,
  heldOf,
  initialState,
  transition,
  type Work,
  type WorkerAction,
  WorkerEvent,
  type WorkerState
} from "../../src/agent/worker/WorkerState.ts"
import { TaskId } from "../../src/domain/Task.ts"
import type { Hold } from "../../src/tasks/DesktopHolds.ts"

/** The transitions of a desktop's worker, through any order of events. */

const Holder = Schema.Struct({
  task: Schema.Literals(["a", "b"]),
  user: Schema.Literals(["ann", "bob"]),
  isExclusive: Schema.Boolean
})
const Happening = Schema.Union([
  Schema.Literals(["woken", "checked", "run ended", "answered", "given up", "stopping"]),
  Schema.Struct({ claims: Schema.Literals(["bound", "free"]) }),
  Schema.Struct({ sees: Schema.NullOr(Holder), isOwned: Schema.Boolean, isHandedBack: Schema.Boolean }),
  Schema.Struct({ isLost: Schema.Boolean })
])
/** Most histories begin with a run, of a task that asks for this desktop or of another one. */
const Beginning = Schema.Literals(["new", "bound", "free"])
const Happenings = Schema.Struct({ beginning: Beginning, rest: Schema.Array(Happening) })

const holdOf = (holder: typeof Holder.Type): Hold => ({
  taskId: TaskId.make(holder.task),
  userId: holder.user,
  isExclusive: holder.isExclusive
})

interface Step {
  readonly before: WorkerState
  readonly event: WorkerEvent
  readonly after: WorkerState
  readonly actions: ReadonlyArray<WorkerAction>
}

/** The event, if it can happen: a claim follows a wake-up that led to it, and a run ends once. */
const eventOf = (
  happening: typeof Happening.Type,
  state: WorkerState,
  world: { readonly isRunning: boolean; readonly epoch: number }
): WorkerEvent | undefined => {
  if (typeof happening === "object") {
    if ("claims" in happening) {
      const lease = { taskId: TaskId.make("r"), desktop: "d", epoch: world.epoch }
      return !world.isRunning && (state._tag === "Idle" || state._tag === "Held")
        ? WorkerEvent.Claimed({ claim: { lease, isBound: happening.claims === "bound" } })
        : undefined
    }
    if ("sees" in happening) {
      const { isHandedBack, isOwned, sees } = happening
      const held = sees === null ? undefined : holdOf(sees)
      return WorkerEvent.Looked({ facts: { held, isOwned, isHandedBack }, lease: claimOf(state)?.lease })
    }
    return WorkerEvent.NotAnswered({ since: 1, isLost: happening.isLost })
  }
  switch (happening) {
    case "woken":
      return world.isRunning ? undefined : WorkerEvent.Woken()
    case "checked":
      return WorkerEvent.Checked()
    case "run ended":
      return world.isRunning ? WorkerEvent.RunEnded() : undefined
    case "answered":
      return WorkerEvent.Answered()
    case "given up":
      return WorkerEvent.GivenUp()
    case "stopping":
      return WorkerEvent.Stopping()
  }
}

const has = (actions: ReadonlyArray<WorkerAction>, tag: WorkerAction["_tag"]) =>
  actions.some((action) => action._tag === tag)

/** What happens to a worker of which the driver does what it is told. */
const history = ({ beginning, rest }: typeof Happenings.Type): ReadonlyArray<Step> => {
  const happenings = beginning === "new" ? rest : ["answered" as const, { claims: beginning }, ...rest]
  const steps: Array<Step> = []
  let state = initialState
  let isRunning = false
  for (const [epoch, happening] of happenings.entries()) {
    const event = eventOf(happening, state, { isRunning, epoch })
    if (event === undefined) continue
    const [after, actions] = transition(state, event)
    steps.push({ before: state, event, after, actions })
    if (event._tag === "Claimed") isRunning = true
    if (event._tag === "RunEnded" || has(actions, "StopRun")) isRunning = false
    state = after
  }
  return steps
}

const lastClaim = (steps: ReadonlyArray<Step>): Work | undefined => {
  const last = steps.findLast(({ event }) => event._tag === "Claimed")
  return last === undefined ? undefined : claimOf(last.after)
}

describe("the transitions of a worker", () => {
  it.prop(
    "capture input exactly while a person holds the desktop, for the task that the database names",
    [Happenings],
    ([happenings]) => {
      let isCapturing = false
      for (const { actions, after, before, event } of history(happenings)) {
        if (has(actions, "Capture")) isCapturing = true
        if (has(actions, "EndCapture")) isCapturing = false
        assert.strictEqual(isCapturing, heldOf(after) !== undefined)
        const isKnown = event._tag === "Looked" && !has(actions, "StopRun")
        assert.deepStrictEqual(heldOf(after), isKnown ? event.facts.held : heldOf(before))
        if (isKnown && event.facts.held?.taskId !== heldOf(before)?.taskId) {
          assert.isTrue(has(actions, event.facts.held === undefined ? "EndCapture" : "Capture"))
        }
      }
    }
  )

  it.prop(
    "claim a task only while none runs, the desktop answers and the service stays",
    [Happenings],
    ([happenings]) => {
      for (const { actions, before, event } of history(happenings)) {
        assert.strictEqual(
          has(actions, "Claim"),
          event._tag === "Woken" && (before._tag === "Idle" || before._tag === "Held")
        )
        if (has(actions, "Claim")) assert.isUndefined(claimOf(before))
      }
    }
  )

  it.prop(
    "keep every wake-up for the next worker once the service stops",
    [Happenings, Happenings],
    ([first, last]) => {
      for (const { actions, after, before, event } of history({
        ...first,
        rest: [...first.rest, "stopping", ...last.rest]
      }).slice(history({ ...first, rest: [...first.rest, "stopping"] }).length - 1)) {
        assert.strictEqual(after._tag, "Leaving")
        assert.isFalse(has(actions, "Claim") || has(actions, "Wake"))
        if (event._tag === "Woken" && before._tag === "Leaving") assert.isTrue(has(actions, "Park"))
      }
    }
  )

  it.prop(
    "stop a run only when it lost its task or when its desktop is given up, and look again after the loss",
    [Happenings],
    ([happenings]) => {
      const steps = history(happenings)
      for (const [index, { actions, before, event }] of steps.entries()) {
        const stop = actions.find((action) => action._tag === "StopRun")
        if (stop === undefined) continue
        assert.strictEqual(stop.claim, claimOf(before))
        assert.strictEqual(stop.claim, lastClaim(steps.slice(0, index)))
        if (event._tag === "Looked") {
          assert.isFalse(event.facts.isOwned)
          assert.deepStrictEqual(
            actions.map(({ _tag }) => _tag),
            ["StopRun", "Look"]
          )
        } else {
          assert.strictEqual(event._tag, "GivenUp")
          assert.isFalse(stop.claim.isBound)
        }
      }
    }
  )

  it.prop("leave a run alone when the answer is about an earlier run", [Schema.Boolean], ([isOwned]) => {
    const claim: Work = { lease: { taskId: TaskId.make("r"), desktop: "d", epoch: 2 }, isBound: false }
    const [running] = transition({ _tag: "Idle" }, WorkerEvent.Claimed({ claim }))
    const facts = { held: undefined, isOwned, isHandedBack: false }
    const lease = { ...claim.lease, epoch: 1 }
    assert.deepStrictEqual(transition(running, WorkerEvent.Looked({ facts, lease })), [running, []])
  })
})
