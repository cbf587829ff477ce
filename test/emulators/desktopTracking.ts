import { type Action, countOf, pointsOf, stringsOf, textOf } from "./desktopActions.ts"
import { keyName, needsShift } from "./desktopKeys.ts"
import type { Point } from "./screen.ts"

/** What the daemon reports of its own actions while tracking is on. */

export interface Reported {
  readonly action: Action
  /** Sent as `screenshotAndAction` when there is a resting screenshot. */
  readonly pictured: boolean
}

const notchesPerEvent = 4

export class OwnActions {
  #notches = 0

  /** The events that follow an executed action; `cursor` is where the pointer ended up. */
  eventsOf(action: Action, cursor: Point): ReadonlyArray<Reported> {
    const plain = (...actions: ReadonlyArray<Action>) =>
      actions.map((reported) => ({ action: reported, pictured: false }))
    const holdKeys = stringsOf(action.holdKeys)
    switch (action.action) {
      case "click_mouse": {
        const { button, clickCount } = action
        return [
          { action: { action: "click_mouse", button, coordinates: cursor, clickCount, holdKeys }, pictured: true }
        ]
      }
      case "drag_mouse": {
        const { button } = action
        return [{ action: { action: "drag_mouse", button, path: pointsOf(action.path), holdKeys }, pictured: true }]
      }
      case "press_mouse": {
        const { button, press } = action
        return plain({ action: "press_mouse", button, coordinates: cursor, press })
      }
      case "scroll": {
        const { direction } = action
        this.#notches += countOf(action.scrollCount)
        const events = Math.floor(this.#notches / notchesPerEvent)
        this.#notches %= notchesPerEvent
        const event = { action: "scroll", direction, scrollCount: 1, coordinates: cursor }
        return plain(...Array.from({ length: events }, () => event))
      }
      case "type_keys":
        return plain({ action: "type_keys", keys: stringsOf(action.keys).map((key) => keyName(key) ?? key) })
      case "type_text":
        return plain(...typed(textOf(action.text)))
      case "paste_text":
        return plain({ action: "type_keys", keys: ["LeftControl", "V"] })
      default:
        return []
    }
  }
}

/** Shifted characters come alone and are followed by the shift key; a line break is the key. */
const typed = (text: string): ReadonlyArray<Action> => {
  const actions: Array<Action> = []
  let run = ""
  const flush = () => {
    if (run !== "") actions.push({ action: "type_text", text: run })
    run = ""
  }
  for (const char of text) {
    if (char === "\n") {
      flush()
      actions.push({ action: "type_keys", keys: ["Enter"] })
    } else if (needsShift(char)) {
      flush()
      actions.push({ action: "type_text", text: char }, { action: "type_keys", keys: ["LeftShift"] })
    } else run += char
  }
  flush()
  return actions
}
