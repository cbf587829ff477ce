import { Option, Schema } from "effect"
import type { Action } from "./timeline.ts"

/** What an action was, in words and as marks on the screen. */

const Point = Schema.Struct({ x: Schema.Finite, y: Schema.Finite })
export type Point = typeof Point.Type

const Input = Schema.Struct({
  coordinates: Schema.optionalKey(Point),
  path: Schema.optionalKey(Schema.Array(Point)),
  button: Schema.optionalKey(Schema.String),
  clickCount: Schema.optionalKey(Schema.Finite),
  direction: Schema.optionalKey(Schema.String),
  scrollCount: Schema.optionalKey(Schema.Finite),
  keys: Schema.optionalKey(Schema.Array(Schema.String)),
  press: Schema.optionalKey(Schema.String),
  text: Schema.optionalKey(Schema.String),
  isSensitive: Schema.optionalKey(Schema.Boolean),
  duration: Schema.optionalKey(Schema.Finite),
  application: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(Schema.String),
  description: Schema.optionalKey(Schema.String)
})
type Input = typeof Input.Type
const decodeInput = Schema.decodeUnknownOption(Input)
const decodeFile = Schema.decodeUnknownOption(Schema.Struct({ path: Schema.String }))

const inputOf = ({ input }: Action): Input => Option.getOrElse(decodeInput(input), () => ({}))

const at = ({ coordinates }: Input) => (coordinates === undefined ? "" : ` at ${coordinates.x}, ${coordinates.y}`)

const typed = ({ isSensitive, text = "" }: Input): string =>
  isSensitive === true ? "•".repeat(8) : text.length > 60 ? `${text.slice(0, 60)}…` : text

const clicks = ["Click", "Click", "Double-click", "Triple-click"]

const words: Readonly<Record<string, (input: Input, action: Action) => string>> = {
  screenshot: () => "Look at the screen",
  cursor_position: () => "Ask where the pointer is",
  move_mouse: (input) => `Move the pointer${at(input).replace(" at", " to")}`,
  trace_mouse: ({ path = [] }) => `Move the pointer along ${path.length} points`,
  click_mouse: (input) => {
    const count = input.clickCount ?? 1
    const button = input.button === "left" || input.button === undefined ? "" : ` (${input.button})`
    return `${clicks[count] ?? `Click ${count} times`}${button}${at(input)}`
  },
  press_mouse: (input) =>
    `${input.press === "up" ? "Release" : "Press"} the ${input.button ?? "left"} button${at(input)}`,
  drag_mouse: ({ path = [] }) => {
    const [from] = path
    const to = path.at(-1)
    return from === undefined || to === undefined ? "Drag" : `Drag from ${from.x}, ${from.y} to ${to.x}, ${to.y}`
  },
  scroll: (input) => `Scroll ${input.direction ?? ""} ${input.scrollCount ?? 1}${at(input)}`,
  type_keys: ({ keys = [] }) => `Press ${keys.join(" + ")}`,
  press_keys: ({ keys = [], press }) => `${press === "up" ? "Release" : "Hold"} ${keys.join(" + ")}`,
  type_text: (input) => `Type “${typed(input)}”`,
  paste_text: (input) => `Paste “${typed(input)}”`,
  wait: ({ duration = 0 }) => `Wait ${duration >= 1000 ? `${Math.round(duration / 100) / 10} s` : `${duration} ms`}`,
  application: ({ application = "an application" }) => `Open ${application}`,
  read_file: (_, { input }) =>
    `Read ${Option.match(decodeFile(input), { onNone: () => "a file", onSome: ({ path }) => path })}`,
  set_task_status: ({ description = "", status = "" }) =>
    `${{ completed: "Completed", needs_help: "Ask for help", failed: "Give up" }[status] ?? status}${description === "" ? "" : `: ${description}`}`,
  create_task: ({ description = "" }) => `Create a task: ${description}`
}

/** "Double-click at 640, 480"; an unknown tool keeps its name. */
export const actionSentence = (action: Action): string => {
  const sentence = words[action.name]
  return sentence === undefined ? action.name.replaceAll("_", " ") : sentence(inputOf(action), action)
}

export type Mark =
  | { readonly kind: "ring"; readonly at: Point; readonly label: string }
  | { readonly kind: "path"; readonly points: ReadonlyArray<Point> }
  | { readonly kind: "scroll"; readonly at: Point; readonly direction: string }
  | { readonly kind: "chip"; readonly text: string }

/** What is drawn onto the screen for an action, in pixels of the screenshot. */
export const marksOf = (action: Action): ReadonlyArray<Mark> => {
  const input = inputOf(action)
  const { coordinates, path, direction } = input
  switch (action.name) {
    case "click_mouse": {
      const count = input.clickCount ?? 1
      const label =
        `${input.button === undefined || input.button === "left" ? "" : input.button} ${count > 1 ? `×${count}` : ""}`.trim()
      return coordinates === undefined ? [] : [{ kind: "ring", at: coordinates, label }]
    }
    case "press_mouse":
    case "move_mouse":
      return coordinates === undefined ? [] : [{ kind: "ring", at: coordinates, label: "" }]
    case "drag_mouse":
    case "trace_mouse":
      return path === undefined ? [] : [{ kind: "path", points: path }]
    case "scroll":
      return coordinates === undefined ? [] : [{ kind: "scroll", at: coordinates, direction: direction ?? "down" }]
    case "type_text":
    case "paste_text":
      return [{ kind: "chip", text: typed(input) }]
    case "type_keys":
    case "press_keys":
      return [{ kind: "chip", text: (input.keys ?? []).join(" + ") }]
    default:
      return []
  }
}
