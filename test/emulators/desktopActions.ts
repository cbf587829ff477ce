import { DesktopFiles, type ReadAnswer } from "./desktopFiles.ts"
import { isTypable, keyName } from "./desktopKeys.ts"
import { afterClick, afterText, emptyPage } from "./formPage.ts"
import { isRecord } from "./httpServer.ts"
import { encodePng } from "./png.ts"
import { type Alpha, colors, drawScreen, emptyScreen, type Point } from "./screen.ts"

/** A request's body after validation. */
export type Action = Readonly<Record<string, unknown>> & { readonly action: string }

export const isAction = (value: unknown): value is Action => isRecord(value) && typeof value.action === "string"

/** An action that fails: answered with 500 and this message. */
export class ActionFailed extends Error {}

const noPoint = () => new ActionFailed("Cannot destructure property 'x' of 'undefined' as it is undefined.")

const isPoint = (value: unknown): value is Point =>
  isRecord(value) && typeof value.x === "number" && typeof value.y === "number"

export const pointOf = (value: unknown): Point | undefined => (isPoint(value) ? value : undefined)

export const pointsOf = (value: unknown): ReadonlyArray<Point> => (Array.isArray(value) ? value.filter(isPoint) : [])

export const stringsOf = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : []

export const textOf = (value: unknown): string => (typeof value === "string" ? value : "")

export const countOf = (value: unknown): number => (typeof value === "number" ? value : 0)

const buttonColors: Readonly<Record<string, number>> = { left: colors.left, right: colors.right, middle: colors.middle }

export interface FixedAnswers {
  /** Of the drawn screen; default 255. */
  readonly alpha?: Alpha
  readonly screenshot?: string
  readonly cursor?: Point
  readonly readFile?: (path: string) => ReadAnswer
}

/** The state of the emulated machine, and what each action does to it and answers. */
export class Machine {
  readonly screen = emptyScreen()
  readonly files = new DesktopFiles()
  readonly #fixed: FixedAnswers
  #image: { readonly state: string; readonly base64: string } | undefined

  constructor(fixed: FixedAnswers) {
    this.#fixed = fixed
  }

  /** Base64 PNG of the screen; drawn anew only after a change. */
  screenshot(): string {
    if (this.#fixed.screenshot !== undefined) return this.#fixed.screenshot
    const state = JSON.stringify(this.screen)
    if (this.#image?.state !== state) {
      this.#image = { state, base64: encodePng(drawScreen(this.screen, this.#fixed.alpha)).toString("base64") }
    }
    return this.#image.base64
  }

  /** Executes a validated action; the answer's JSON, undefined for an empty body. Throws ActionFailed. */
  execute(action: Action): unknown {
    switch (action.action) {
      case "move_mouse":
        return this.#move(pointOf(action.coordinates) ?? this.#fail())
      case "trace_mouse":
        return this.#follow(action)
      case "drag_mouse":
        this.#follow(action)
        for (const point of pointsOf(action.path)) this.#mark(this.#clamp(point), colors.drag)
        return
      case "click_mouse":
      case "press_mouse":
        this.#moveIfGiven(action)
        this.#hold(action.holdKeys)
        this.screen.page = afterClick(this.screen.page, this.screen.cursor)
        return this.#mark(this.screen.cursor, buttonColors[textOf(action.button)] ?? colors.left)
      case "scroll":
        this.#moveIfGiven(action)
        this.#hold(action.holdKeys)
        return this.#scroll(textOf(action.direction), countOf(action.scrollCount))
      case "type_keys":
        return this.#press(stringsOf(action.keys), "send")
      case "press_keys":
        return this.#hold(action.keys)
      case "type_text":
        return this.#type(textOf(action.text))
      case "paste_text":
        return this.#write(textOf(action.text))
      case "application": {
        const application = textOf(action.application)
        this.screen.application = application === "desktop" ? null : application
        this.screen.page = emptyPage
        return
      }
      case "screenshot":
        return { image: this.screenshot() }
      case "cursor_position": {
        const { x, y } = this.#fixed.cursor ?? this.screen.cursor
        return { x, y }
      }
      case "write_file":
        return this.files.write(textOf(action.path), textOf(action.data))
      case "read_file":
        return this.#fixed.readFile?.(textOf(action.path)) ?? this.files.read(textOf(action.path))
      default:
        return
    }
  }

  #fail(): never {
    throw noPoint()
  }

  /** Off-screen coordinates end at the edge, fractions are cut off. */
  #clamp({ x, y }: Point): Point {
    const within = (value: number, end: number) => Math.min(Math.max(Math.trunc(value), 0), end - 1)
    return { x: within(x, this.screen.width), y: within(y, this.screen.height) }
  }

  #move(point: Point): void {
    this.screen.cursor = this.#clamp(point)
  }

  #moveIfGiven(action: Action): void {
    const point = pointOf(action.coordinates)
    if (point !== undefined) this.#move(point)
  }

  #follow(action: Action): void {
    const points = pointsOf(action.path)
    this.#move(points[0] ?? this.#fail())
    this.#hold(action.holdKeys)
    this.#move(points.at(-1) ?? this.#fail())
  }

  #mark(at: Point, color: number): void {
    this.screen.marks = [...this.screen.marks, { at, color }].slice(-100)
  }

  #scroll(direction: string, count: number): void {
    const { x, y } = this.screen.scrolled
    const step = direction === "up" || direction === "left" ? -count : count
    const sideways = direction === "left" || direction === "right"
    this.screen.scrolled = sideways ? { x: x + step, y } : { x, y: y + step }
  }

  #hold(keys: unknown): void {
    this.#names(stringsOf(keys), "hold")
  }

  #names(keys: ReadonlyArray<string>, doing: string): ReadonlyArray<string> {
    return keys.map((key) => {
      const name = keyName(key)
      if (name !== undefined) return name
      throw new ActionFailed(`Failed to ${doing} keys: Invalid key: '${key}'. Key not found in available key mappings.`)
    })
  }

  #press(keys: ReadonlyArray<string>, doing: string): void {
    const [first, ...more] = this.#names(keys, doing)
    if (first === undefined || more.length > 0) return
    if (first === "Backspace") this.screen.typed = this.screen.typed.slice(0, -1)
    else if (first === "Enter") this.screen.typed += "\n"
    else if (first === "Space") this.screen.typed += " "
    else if (/^[A-Z]$/.test(first)) this.screen.typed += first.toLowerCase()
    else if (/^Num\d$/.test(first)) this.screen.typed += first.slice(3)
  }

  /** What comes before the first character that can't be typed is typed all the same. */
  #type(text: string): void {
    for (const char of text) {
      if (!isTypable(char)) throw new ActionFailed(`Failed to type text: No key mapping found for character: ${char}`)
      this.#write(char)
    }
  }

  #write(text: string): void {
    this.screen.typed += text
    this.screen.page = afterText(this.screen.page, text)
  }
}

/** How long the real daemon takes, in ms, as measured on it. */
export const durationOf = (action: Action): number => {
  const held = stringsOf(action.holdKeys).length > 0 ? 200 : 0
  switch (action.action) {
    case "click_mouse":
      return held + 110 + 400 * (countOf(action.clickCount) - 1)
    case "press_mouse":
    case "press_keys":
      return 105
    case "drag_mouse":
      return held + 210
    case "scroll":
      return held + 254 * countOf(action.scrollCount)
    case "type_keys":
      return 205 + (typeof action.delay === "number" ? action.delay : 100)
    case "type_text":
      return [...textOf(action.text)].length * (200 + countOf(action.delay))
    case "paste_text":
      return 325
    case "wait":
      return countOf(action.duration)
    case "screenshot":
      return 190
    case "application":
      return 35
    case "write_file":
      return 70
    case "read_file":
      return 50
    default:
      return 5
  }
}
