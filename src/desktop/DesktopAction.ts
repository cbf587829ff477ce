import { Schema } from "effect"

/** Actions of the desktop daemon (docs/contract/desktop.md). They are the tools' inputs too, so each parameter is described for the model. */

/** X11 has 16 bits for a coordinate; the daemon moves what is off the screen to its edge. */
const pixels = Schema.isBetween({ minimum: -32_768, maximum: 32_767 })

export const Coordinates = Schema.Struct({
  x: Schema.Finite.check(pixels).annotate({ description: "Pixels from the left edge of the screen" }),
  y: Schema.Finite.check(pixels).annotate({ description: "Pixels from the top edge of the screen" })
})

const Path = Schema.Array(Coordinates).check(Schema.isMinLength(1), Schema.isMaxLength(1000))
const Button = Schema.Literals(["left", "right", "middle"])
const Press = Schema.Literals(["up", "down"])
const Keys = Schema.Array(Schema.String.check(Schema.isMaxLength(64))).check(Schema.isMaxLength(64))
const HoldKeys = Schema.optionalKey(Keys.annotate({ description: "Keys held down meanwhile, e.g. LeftShift" }))
const Delay = Schema.optionalKey(
  Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1000 })).annotate({
    description: "Milliseconds between keys"
  })
)
const countTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 1, maximum }))

/** Typing takes about 200 ms for a character (docs/contract/desktop.md, "Times"); pasting takes no time. */
const longest = { typed: 10_000, pasted: 1_000_000 }

/** The longest wait in one action, and all that the daemon may take for any other; in milliseconds. */
const longestWait = 600_000
const longestAction = 3_600_000

/** Parameters of each action, by its name. */
export const actionParameters = {
  move_mouse: Schema.Struct({ coordinates: Coordinates }),
  trace_mouse: Schema.Struct({ path: Path, holdKeys: HoldKeys }),
  click_mouse: Schema.Struct({
    coordinates: Schema.optionalKey(Coordinates),
    button: Button,
    holdKeys: HoldKeys,
    clickCount: countTo(10).annotate({ description: "1 for a click, 2 for a double click" })
  }),
  press_mouse: Schema.Struct({ coordinates: Schema.optionalKey(Coordinates), button: Button, press: Press }),
  drag_mouse: Schema.Struct({ path: Path, button: Button, holdKeys: HoldKeys }),
  scroll: Schema.Struct({
    coordinates: Schema.optionalKey(Coordinates),
    direction: Schema.Literals(["up", "down", "left", "right"]),
    scrollCount: countTo(200).annotate({ description: "Notches of the wheel" }),
    holdKeys: HoldKeys
  }),
  type_keys: Schema.Struct({ keys: Keys, delay: Delay }),
  press_keys: Schema.Struct({ keys: Keys, press: Press }),
  type_text: Schema.Struct({ text: Schema.String.check(Schema.isMaxLength(longest.typed)), delay: Delay }),
  paste_text: Schema.Struct({ text: Schema.String.check(Schema.isMaxLength(longest.pasted)) }),
  wait: Schema.Struct({
    duration: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: longestWait })).annotate({
      description: "Milliseconds, ten minutes at most"
    })
  }),
  /** Which ones there are the settings say, and the daemon refuses others. */
  application: Schema.Struct({ application: Schema.String.check(Schema.isMaxLength(64)) })
} as const

export type ActionName = keyof typeof actionParameters

/** An action with its parameters, as the daemon takes it. */
export interface DesktopAction {
  readonly action: ActionName
  readonly parameters: Readonly<Record<string, Schema.Json>>
}

/** The daemon's request body; an empty `holdKeys` is sent as absent (docs/contract/desktop.md). */
export const actionBody = ({ action, parameters }: DesktopAction): Readonly<Record<string, Schema.Json>> => {
  const { holdKeys, ...others } = parameters
  return Array.isArray(holdKeys) && holdKeys.length > 0 ? { action, ...others, holdKeys } : { action, ...others }
}

/**
 * Milliseconds that the daemon may take for the action: what was measured on the real one (docs/contract/desktop.md, "Times"), doubled,
 * and half a minute on top; bounded.
 */
export const actionTimeout = ({ action, parameters }: DesktopAction): number => {
  const count = (name: string): number => (typeof parameters[name] === "number" ? parameters[name] : 0)
  const length = (name: string): number => {
    const value = parameters[name]
    return typeof value === "string" || Array.isArray(value) ? value.length : 0
  }
  const expected: Partial<Record<ActionName, number>> = {
    wait: count("duration"),
    type_text: length("text") * (250 + count("delay")),
    scroll: count("scrollCount") * 300,
    type_keys: length("keys") * (300 + count("delay")),
    click_mouse: count("clickCount") * 300,
    trace_mouse: length("path") * 100,
    drag_mouse: length("path") * 100
  }
  return 30_000 + Math.min(longestAction, 2 * (expected[action] ?? 0))
}
