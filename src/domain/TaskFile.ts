import { Schema } from "effect"

/** A file attached to a task; `data` is base64, `size` is what the client stated, in bytes. */
export const TaskFile = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  type: Schema.String,
  size: Schema.Int,
  data: Schema.String,
  createdAt: Schema.DateTimeUtcFromString,
  updatedAt: Schema.DateTimeUtcFromString,
  taskId: Schema.String
})
export interface TaskFile extends Schema.Schema.Type<typeof TaskFile> {}

/** Last segment of a file name, without what must never reach the desktop's shell (docs/contract/desktop.md); never empty. */
const desktopFileName = (name: string): string => {
  const base = name.split(/[/\\]/).at(-1) ?? ""
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed here
  const safe = base.replace(/["'$`\u0000-\u001f\u007f]/g, "_").trim()
  return safe === "" || safe === "." || safe === ".." ? "file" : safe
}

/** `report.txt` as `report (2).txt`. */
const numbered = (name: string, number: number): string => name.replace(/(?<=.)(\.[^.]*)?$/, ` (${number})$1`)

/**
 * The names of a task's files on the desktop, by the names that they were sent with, in the task's order. Files whose names would be the same
 * are numbered: `x`, `x (2)`.
 */
export const desktopFileNames = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const taken = new Set<string>()
  const next = new Map<string, number>()
  return names.map((name) => {
    const wanted = desktopFileName(name)
    let number = next.get(wanted) ?? 1
    let free = wanted
    while (taken.has(free)) free = numbered(wanted, ++number)
    next.set(wanted, number)
    taken.add(free)
    return free
  })
}
