import { Clock, DateTime, Duration, Effect, Ref } from "effect"
import { Settings } from "../../config/Settings.ts"
import { settingsTable } from "../../config/SettingsTable.ts"
import type { Desktop } from "../../desktop/Desktops.ts"
import type { DatabaseUnavailable } from "../../domain/TaskErrors.ts"
import { DesktopStates, reportInterval } from "../../tasks/DesktopStates.ts"
import type { Ownership } from "../../tasks/Lease.ts"
import { WorkerEvent } from "./WorkerState.ts"

/** How often a desktop that answers is asked whether it still does. */
const probeInterval = Duration.seconds(5)

/** Milliseconds for which an answer of the desktop counts. */
const answerValidFor = 2_000

/** What is known of the desktop, as an event for its worker. */
const contactEvent = ({ contact: { state } }: Desktop): WorkerEvent =>
  state._tag === "Doubtful" || state._tag === "Lost"
    ? WorkerEvent.NotAnswered({ since: state.since, isLost: state._tag === "Lost" })
    : WorkerEvent.Answered()

/** Asks the desktop unless it has answered just now; what came of it. */
export const probeNow = Effect.fnUntraced(function* (desktop: Desktop) {
  const { contact } = desktop
  const now = yield* Clock.currentTimeMillis
  if (contact.state._tag !== "Answering" || now - contact.seenAt > answerValidFor) yield* desktop.probe
  return contactEvent(desktop)
})

/**
 * Asks the desktop again and again whether it is there, stores its state for `GET /desktops`, and tells its worker and the log. Never ends; while the
 * database is away the state is stored later.
 */
export const watchDesktop = Effect.fnUntraced(function* (
  name: string,
  desktop: Desktop,
  ownership: Effect.Effect<Ownership, DatabaseUnavailable>,
  tell: (event: WorkerEvent) => Effect.Effect<unknown>
) {
  const { desktopLost, desktopLostAfter, desktops } = yield* Settings
  const states = yield* DesktopStates
  const { contact } = desktop
  const mayMove = desktopLost === "handover" && desktops.length > 1
  const reported = yield* Ref.make({ tag: "Unknown", at: 0 })

  const report = Effect.gen(function* () {
    const { seenAt, state } = contact
    const last = yield* Ref.get(reported)
    const now = yield* Clock.currentTimeMillis
    const hasChanged = state._tag !== last.tag
    // While it is lost, tasks may come that wait for it.
    if (!hasChanged && state._tag !== "Lost" && now - last.at < Duration.toMillis(reportInterval)) return
    yield* states.report(yield* ownership, {
      seenAt: seenAt === 0 ? null : DateTime.makeUnsafe(seenAt),
      unreachableSince: state._tag === "Lost" ? DateTime.makeUnsafe(state.since) : null
    })
    yield* Ref.set(reported, { tag: state._tag, at: now })
  })

  const isToldLost = yield* Ref.make(false)
  const tellOperator = Effect.gen(function* () {
    const { _tag } = contact.state
    const wasLost = yield* Ref.get(isToldLost)
    if (_tag === "Lost" && !wasLost) {
      yield* Effect.logWarning(
        `The desktop ${name} does not answer, its tasks wait: start it, or correct ${settingsTable.desktops.name}`
      )
    }
    if (_tag === "Answering" && wasLost) yield* Effect.logInfo(`The desktop ${name} answers again`)
    if (_tag === "Lost" || _tag === "Answering") yield* Ref.set(isToldLost, _tag === "Lost")
  })

  const tellWorker = Effect.gen(function* () {
    yield* tell(contactEvent(desktop))
    const { state } = contact
    const now = yield* Clock.currentTimeMillis
    const isGivenUp = mayMove && state._tag === "Lost" && now - state.since >= Duration.toMillis(desktopLostAfter)
    if (isGivenUp) yield* tell(WorkerEvent.GivenUp())
  })

  return yield* Effect.gen(function* () {
    // The outcome of a request under way will tell: the daemon may be slow while it acts.
    if (contact.state._tag !== "Answering" || !contact.isBusy) yield* desktop.probe
    yield* tellOperator
    yield* tellWorker
    yield* Effect.catchCause(report, (cause) => Effect.logWarning("The desktop's state was not stored", cause))
    yield* contact.state._tag === "Answering"
      ? Effect.raceFirst(Effect.sleep(probeInterval), contact.until("Doubtful", "Lost"))
      : Effect.sleep(contact.pause)
  }).pipe(Effect.forever)
})
