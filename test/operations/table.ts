import { readFileSync } from "node:fs"

/** A row of docs/operations.md: what is seen. */
export interface Row {
  /** What stands between backticks in the first column. */
  readonly seen: ReadonlyArray<string>
}

const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8")

/** The rows under a heading of the page. */
export const rowsUnder = (heading: string): ReadonlyArray<Row> => {
  const [, section = ""] = page.split(`## ${heading}\n`)
  const [own = ""] = section.split("\n## ", 1)
  return own
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| ---") && !line.startsWith("| what is seen"))
    .map((line) => ({ seen: [...(line.split(" | ")[0] ?? "").matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text) }))
}

const escaped = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&")

/** Which of the row's words are not in the text; `…` is anything, names of routes and statuses are for the reader. */
export const missing = ({ seen }: Row, text: string): ReadonlyArray<string> => {
  const flat = text.replaceAll('\\"', '"').replaceAll("\\n", "\n")
  return seen
    .filter((words) => !/^(?:\/|GET |POST |error$)/.test(words))
    .filter((words) => !new RegExp(words.split("…").map(escaped).join("[^]*?")).test(flat))
}
