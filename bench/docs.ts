import { readFileSync, writeFileSync } from "node:fs"
import { Schema } from "effect"

/** Writes the tables of docs/performance.md from bench/results: `npm run docs:performance`. */

const pagePath = new URL("../docs/performance.md", import.meta.url)

const Result = Schema.Struct({
  at: Schema.String,
  machine: Schema.Struct({
    cpus: Schema.Int,
    model: Schema.String,
    node: Schema.String,
    load: Schema.optionalKey(Schema.Finite)
  }),
  targets: Schema.Array(Schema.Struct({ what: Schema.String, reached: Schema.Finite, atMost: Schema.Finite }))
})
const decodeResult = Schema.decodeUnknownSync(Schema.fromJsonString(Result))

const table = ({ at, machine, targets }: typeof Result.Type): string => {
  const { cpus, load, model, node } = machine
  const rows = targets.map(
    ({ atMost, reached, what }) =>
      `| ${what} | ${Number(reached.toFixed(2))} | ${Number(atMost.toFixed(2))} | ${reached <= atMost ? "reached" : "**missed**"} |`
  )
  return [
    `Measured on ${at.slice(0, 10)}: ${model}, ${cpus} processors, Node ${node.slice(1)}, load at the end ${load?.toFixed(1) ?? "unknown"}.`,
    "",
    "| what | measured | at most | |",
    "| --- | ---: | ---: | --- |",
    ...rows
  ].join("\n")
}

/** The page with the tables of bench/results between its markers. */
export const withResults = (page: string): string =>
  page.replaceAll(
    /(<!-- results: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => {
      const text = readFileSync(new URL(`results/${name}.json`, import.meta.url), "utf8")
      return `${begin}\n${table(decodeResult(text))}\n\n${end}`
    }
  )

if (import.meta.main) writeFileSync(pagePath, withResults(readFileSync(pagePath, "utf8")))
