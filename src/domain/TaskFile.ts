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
export const desktopFileName = (name: string): string => {
  const base = name.split(/[/\\]/).at(-1) ?? ""
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed here
  const safe = base.replace(/["$`\u0000-\u001f\u007f]/g, "_").trim()
  return safe === "" || safe === "." || safe === ".." ? "file" : safe
}
