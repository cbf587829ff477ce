import { Result, Schema } from "effect"
import { type SettingRow, settingGroups, settings } from "../src/config/SettingsTable.ts"

const meaningOf = ({ aliases, meaning }: SettingRow) =>
  [meaning, ...aliases.map((alias) => `Also read from ${alias}.`)].join(" ")

const inGroups = <A>(render: (group: string, rows: ReadonlyArray<SettingRow>) => A) =>
  Object.entries(settingGroups).map(([group, rows]) =>
    render(
      group,
      settings.filter(({ field }) => field in rows)
    )
  )

/** The file `.env.example`: every setting, commented out, at its default. */
export const renderEnvExample = (): string =>
  [
    "# The settings of bytebot-agent. Copy this file to .env and remove the # in front of what you change.",
    "# A variable of the environment goes before .env; an empty one counts as unset. Put a value that holds # in quotes.",
    "# Generated from src/config/SettingsTable.ts by scripts/settings-docs.ts.",
    ...inGroups((group, rows) =>
      [`\n## ${group}`, ...rows.map((row) => `\n# ${meaningOf(row)}\n#${row.name}=${row.default ?? ""}`)].join("\n")
    ),
    ""
  ].join("\n")

const escapeCell = (text: string) => text.replaceAll("|", "\\|")

const code = (text: string | undefined) => (text === undefined || text === "" ? "" : `\`${text}\``)

/** A table in Markdown whose columns are aligned in the source too, as the project's formatter wants it. */
const renderTable = (head: ReadonlyArray<string>, body: ReadonlyArray<ReadonlyArray<string>>) => {
  const cells = [head, ...body].map((row) => row.map(escapeCell))
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>, fill: string) =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width, fill)).join(" | ")} |`
  const [first = [], ...rest] = cells
  return [line(first, " "), line([], "-"), ...rest.map((row) => line(row, " "))].join("\n")
}

/** The tables of docs/settings.md, one for each group. */
export const renderMarkdownTable = (): string =>
  inGroups((group, rows) => {
    const cells = rows.map((row) => [code(row.name), code(row.default), meaningOf(row)])
    return `**${group}**\n\n${renderTable(["Name", "Default", "Meaning"], cells)}`
  }).join("\n\n")

const begin = "<!-- settings:begin -->"
const end = "<!-- settings:end -->"

/** The page has no place for the tables. */
export class MarkersMissing extends Schema.TaggedError<MarkersMissing>()("MarkersMissing", {}) {
  override get message(): string {
    return `docs/settings.md needs the lines ${begin} and ${end}`
  }
}

/** The page with the tables put between its two markers. */
export const withMarkdownTable = (page: string): Result.Result<string, MarkersMissing> => {
  const from = page.indexOf(begin)
  const to = page.indexOf(end, from)
  return from < 0 || to < 0
    ? Result.fail(new MarkersMissing())
    : Result.succeed(`${page.slice(0, from + begin.length)}\n\n${renderMarkdownTable()}\n\n${page.slice(to)}`)
}
