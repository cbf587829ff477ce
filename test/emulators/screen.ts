import { emptyPage, type FormPage, shapesOf } from "./formPage.ts"
import type { Picture } from "./png.ts"

/** What the emulated desktop shows, as data, and how it is drawn. */

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Mark {
  readonly at: Point
  readonly color: number
}

export interface ScreenState {
  readonly width: number
  readonly height: number
  cursor: Point
  /** The application whose window is open; null shows the bare desktop. */
  application: string | null
  /** Everything typed or pasted; a backspace removes, a newline breaks. */
  typed: string
  /** Where clicks and drags went, the newest last. */
  marks: Array<Mark>
  /** Notches: up and left count down, down and right count up. */
  scrolled: { x: number; y: number }
  /** What the browser shows. */
  page: FormPage
}

export const emptyScreen = (width = 1280, height = 960): ScreenState => ({
  width,
  height,
  cursor: { x: Math.floor(width / 2), y: Math.floor(height / 2) },
  application: null,
  typed: "",
  marks: [],
  scrolled: { x: 0, y: 0 },
  page: emptyPage
})

export const colors = {
  desktop: 0x1f4e5f,
  panel: 0x10262e,
  window: 0xf4f1e8,
  title: 0x79a8a9,
  ink: 0x222222,
  cursor: 0xff2d55,
  left: 0x2ecc71,
  right: 0xe67e22,
  middle: 0x8e44ad,
  drag: 0x3498db
} as const

/**
 * A 3x5 pixel alphabet: five octal digits a glyph, one a row from the top, bits from the left. Lower case is drawn as
 * upper case; what is missing becomes a box.
 */
const glyphs: Readonly<Record<string, string>> = {
  A: "25755",
  B: "65656",
  C: "34443",
  D: "65556",
  E: "74647",
  F: "74644",
  G: "34553",
  H: "55755",
  I: "72227",
  J: "11152",
  K: "55655",
  L: "44447",
  M: "57755",
  N: "65555",
  O: "25552",
  P: "65644",
  Q: "25563",
  R: "65655",
  S: "34216",
  T: "72222",
  U: "55553",
  V: "55552",
  W: "55775",
  X: "55255",
  Y: "55222",
  Z: "71247",
  "0": "75557",
  "1": "26227",
  "2": "61247",
  "3": "61216",
  "4": "55711",
  "5": "74616",
  "6": "34757",
  "7": "71122",
  "8": "75757",
  "9": "75716",
  ".": "00002",
  ",": "00024",
  ":": "02020",
  ";": "02024",
  "!": "22202",
  "?": "61202",
  "-": "00700",
  _: "00007",
  "/": "11244",
  "\\": "44211",
  "(": "12221",
  ")": "42224",
  "+": "02720",
  "=": "07070",
  "'": "22000",
  '"': "55000",
  "<": "12421",
  ">": "42124",
  "@": "25743",
  "#": "57575",
  $: "36236",
  "%": "51245",
  "&": "25253",
  "*": "52725",
  "[": "32223",
  "]": "62226",
  "{": "12621",
  "}": "42324",
  "|": "22222",
  "~": "00360",
  "^": "25000",
  "`": "42000",
  " ": "00000"
}
const box = "75557"

/** Alpha 0 is what the real daemon's screenshots mostly have; browsers show those as nothing. */
export type Alpha = 0 | 255

/** Little-endian RGBA. */
const word = (color: number, alpha: Alpha): number =>
  ((alpha << 24) | ((color & 255) << 16) | (color & 0xff00) | (color >> 16)) >>> 0

const panelHeight = 32
const titleHeight = 24
const cell = { width: 8, height: 14, scale: 2 }

/** The text window: where typed text appears. */
export const textArea = { x: 90, y: 90, width: 1100, height: 780 }

/** Draws the whole state; the same state gives the same bytes. */
export const drawScreen = (state: ScreenState, alpha: Alpha = 255): Picture => {
  const { width, height } = state
  const pixels = new Uint32Array(width * height)
  const fill = (x: number, y: number, w: number, h: number, color: number) => {
    const from = Math.max(0, x)
    const to = Math.min(width, x + w)
    for (let row = Math.max(0, y); row < Math.min(height, y + h) && from < to; row++) {
      pixels.fill(word(color, alpha), row * width + from, row * width + to)
    }
  }
  const write = (text: string, x: number, y: number, color: number, scale = cell.scale) => {
    for (const [i, char] of [...text].entries()) {
      const rows = glyphs[char.toUpperCase()] ?? box
      for (let row = 0; row < 5; row++) {
        for (let bit = 0; bit < 3; bit++) {
          if ((Number(rows[row]) >> (2 - bit)) & 1) {
            fill(x + i * 4 * scale + bit * scale, y + row * scale, scale, scale, color)
          }
        }
      }
    }
  }

  pixels.fill(word(colors.desktop, alpha))
  if (state.application !== null) {
    fill(60, 40, 1160, 860, colors.window)
    fill(60, 40, 1160, titleHeight, colors.title)
    write(state.application, 72, 47, colors.ink)
  }
  if (state.application === "firefox") {
    for (const shape of shapesOf(state.page)) {
      if (shape.kind === "text") write(shape.text, shape.x, shape.y, shape.color, shape.scale)
      else fill(shape.box.x, shape.box.y, shape.box.width, shape.box.height, shape.color)
    }
  } else {
    const ink = state.application === null ? colors.window : colors.ink
    for (const [i, line] of wrap(state.typed).entries()) write(line, textArea.x, textArea.y + i * cell.height, ink)
  }
  fill(0, height - panelHeight, width, panelHeight, colors.panel)
  write(`scroll ${state.scrolled.x} ${state.scrolled.y}`, 16, height - panelHeight + 11, colors.window)
  for (const { at, color } of state.marks) fill(at.x - 3, at.y - 3, 7, 7, color)
  fill(state.cursor.x - 6, state.cursor.y, 13, 1, colors.cursor)
  fill(state.cursor.x, state.cursor.y - 6, 1, 13, colors.cursor)
  return { width, height, rgba: new Uint8Array(pixels.buffer) }
}

/** The last lines that fit the text window. */
const wrap = (text: string): ReadonlyArray<string> => {
  const columns = Math.floor(textArea.width / cell.width)
  const lines = text.split("\n").flatMap((line) => line.match(new RegExp(`.{1,${columns}}`, "gu")) ?? [""])
  return lines.slice(-Math.floor(textArea.height / cell.height))
}
