/**
 * What `promtool check metrics` complains about: the rules of Prometheus's linter (github.com/prometheus/client_golang,
 * prometheus/testutil/promlint/validations, as of 2026), on the text format of version 0.0.4.
 */

interface Family {
  readonly name: string
  readonly type: string
  readonly help: string | undefined
  readonly labels: ReadonlySet<string>
}

/** Metrics of a text, with the names of their labels; `le` is a histogram's own. */
const familiesIn = (text: string): ReadonlyArray<Family> => {
  const lines = text.split("\n")
  const helps = new Map(
    lines.flatMap((line) => {
      const [, name, help] = /^# HELP (\S+) (.+)$/.exec(line) ?? []
      return name === undefined || help === undefined ? [] : [[name, help] as const]
    })
  )
  return lines.flatMap((line) => {
    const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
    if (name === undefined || type === undefined) return []
    const sample = new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} `)
    const labels = lines.flatMap((one) =>
      [...(sample.exec(one)?.[1] ?? "").matchAll(/(\w+)="(?:\\.|[^"\\])*"/g)].map(([, label = ""]) => label)
    )
    return [{ name, type, help: helps.get(name), labels: new Set(labels) }]
  })
}

/** Units that are not the base ones, with or without a prefix (units.go). */
const otherUnits =
  /^(?:(?:pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mibi|giga|gibi|tera|tebi|peta|pebi)(?:amperes|bytes|celsius|grams|joules|kelvin|meters|metres|seconds|volts)|(?:pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mibi|giga|gibi|tera|tebi|peta|pebi)?(?:minutes|hours|days|weeks|kelvins|fahrenheit|rankine|inches|yards|miles|bits|calories|pounds|ounces))$/

const rules: ReadonlyArray<readonly [problem: string, isBroken: (family: Family) => boolean]> = [
  ["no help text", ({ help }) => help === undefined],
  ["use base units", ({ name }) => name.split("_").some((word) => otherUnits.test(word))],
  ['counters end in "_total"', ({ name, type }) => type === "counter" && !name.endsWith("_total")],
  ['only counters end in "_total"', ({ name, type }) => type !== "counter" && name.endsWith("_total")],
  ['only histograms end in "_bucket"', ({ name, type }) => type !== "histogram" && name.endsWith("_bucket")],
  [
    'only histograms and summaries end in "_count" and "_sum"',
    ({ name, type }) => type !== "histogram" && type !== "summary" && /_(?:count|sum)$/.test(name)
  ],
  ['only histograms have a label "le"', ({ labels, type }) => type !== "histogram" && labels.has("le")],
  ['only summaries have a label "quantile"', ({ labels, type }) => type !== "summary" && labels.has("quantile")],
  ["no types in names", ({ name }) => /_(?:counter|gauge|summary|histogram|gauge_histogram)(?:_|$)/i.test(name)],
  ["no colons in names", ({ name }) => name.includes(":")],
  ["snake_case", ({ labels, name }) => [name, ...labels].some((word) => /[a-z][A-Z]/.test(word))],
  ["no abbreviated units", ({ name }) => /_(?:s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d)(?:_|$)/i.test(name)]
]

/** The complaints about a text, one a line. */
export const complaints = (text: string): ReadonlyArray<string> =>
  familiesIn(text).flatMap((family) =>
    rules.filter(([, isBroken]) => isBroken(family)).map(([problem]) => `${family.name}: ${problem}`)
  )
