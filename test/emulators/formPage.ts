/** The page in the emulated browser: a form that reacts to clicks and typing, so that a task has something to do. Not a claim about any real page. */

interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const fields = {
  name: { label: "Name", box: { x: 160, y: 250, width: 620, height: 56 } },
  date: { label: "Date", box: { x: 160, y: 370, width: 620, height: 56 } },
  guests: { label: "Guests", box: { x: 160, y: 490, width: 620, height: 56 } }
} as const
type FieldName = keyof typeof fields

const button: Box = { x: 160, y: 590, width: 240, height: 60 }

export interface FormPage {
  readonly values: Readonly<Record<FieldName, string>>
  readonly focus: FieldName | null
  readonly outcome: "open" | "refused" | "sent"
}

export const emptyPage: FormPage = { values: { name: "", date: "", guests: "" }, focus: null, outcome: "open" }

const isIn = ({ height, width, x, y }: Box, point: { readonly x: number; readonly y: number }) =>
  point.x >= x && point.x < x + width && point.y >= y && point.y < y + height

const names: ReadonlyArray<FieldName> = ["name", "date", "guests"]

/** A click into a field focuses it; one on the button sends the form, or tells what is missing. */
export const afterClick = (page: FormPage, point: { readonly x: number; readonly y: number }): FormPage => {
  if (isIn(button, point)) {
    return { ...page, focus: null, outcome: names.some((name) => page.values[name] === "") ? "refused" : "sent" }
  }
  return { ...page, focus: names.find((name) => isIn(fields[name].box, point)) ?? null }
}

export const afterText = (page: FormPage, text: string): FormPage =>
  page.focus === null
    ? page
    : { ...page, values: { ...page.values, [page.focus]: page.values[page.focus] + text }, outcome: "open" }

export type Shape =
  | { readonly kind: "box"; readonly box: Box; readonly color: number }
  | {
      readonly kind: "text"
      readonly text: string
      readonly x: number
      readonly y: number
      readonly scale: number
      readonly color: number
    }

const colors = {
  ink: 0x1d2733,
  soft: 0x5b6b7b,
  line: 0x9fb0bf,
  paper: 0xffffff,
  focus: 0x2f6fed,
  good: 0x1b7f4b,
  bad: 0xb3261e
}

const text = (text: string, x: number, y: number, scale: number, color: number): Shape => ({
  kind: "text",
  text,
  x,
  y,
  scale,
  color
})
const box = (box: Box, color: number): Shape => ({ kind: "box", box, color })
const within = ({ height, width, x, y }: Box, by: number): Box => ({
  x: x + by,
  y: y + by,
  width: width - 2 * by,
  height: height - 2 * by
})

const outcomes = {
  open: [],
  refused: [text("Please fill in every field", 160, 676, 3, colors.bad)],
  sent: [text("Thank you, your table is booked", 160, 676, 3, colors.good)]
} as const

/** What is drawn of the page, the lowest first. */
export const shapesOf = (page: FormPage): ReadonlyArray<Shape> => [
  box({ x: 60, y: 64, width: 1160, height: 44 }, 0xdfe6ea),
  box({ x: 84, y: 72, width: 700, height: 28 }, colors.paper),
  text("https://table.example", 96, 80, 2, colors.soft),
  text("Book a table", 160, 150, 6, colors.ink),
  ...names.flatMap((name) => {
    const { box: place, label } = fields[name]
    const edge = page.focus === name ? colors.focus : colors.line
    return [
      text(label, place.x, place.y - 24, 3, colors.soft),
      box(place, edge),
      box(within(place, page.focus === name ? 3 : 2), colors.paper),
      text(page.values[name], place.x + 16, place.y + 18, 4, colors.ink)
    ]
  }),
  box(button, colors.focus),
  text("Book", button.x + 72, button.y + 20, 4, colors.paper),
  ...outcomes[page.outcome]
]
