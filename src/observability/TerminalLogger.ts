import { inspect, stripVTControlCharacters, styleText } from "node:util"
import { Cause, Logger, type LogLevel, Predicate, Redacted, References } from "effect"

/** Of a terminal's line. What is longer is cut. */
const longestValue = 160

const styles = { Warn: "yellow", Error: "red", Fatal: "red", Debug: "gray", Trace: "gray" } as const

const styleOf = (level: LogLevel.LogLevel) =>
  level === "Warn" || level === "Error" || level === "Fatal" || level === "Debug" || level === "Trace"
    ? styles[level]
    : "green"

/** On one line, without what would move the cursor. */
const oneLine = (value: unknown): string => {
  const text = typeof value === "string" ? value : inspect(value, { breakLength: Number.POSITIVE_INFINITY })
  const line = stripVTControlCharacters(text).replaceAll(/\s+/g, " ").trim()
  return line.length > longestValue ? `${line.slice(0, longestValue - 1)}…` : line
}

/** The person at the terminal may read what is kept from stored logs (`Redacted`). */
const shown = (value: unknown): string => oneLine(Redacted.isRedacted(value) ? Redacted.value(value) : value)

/** Ids as the command line shows and takes them; those of requests and traces are for machines. */
const hidden = new Set(["requestId", "traceId"])
const shortened = (name: string, value: unknown) => (name === "taskId" ? shown(value).slice(0, 8) : shown(value))

const detailsOf = ({ taskId, ...annotations }: Readonly<Record<string, unknown>>): string =>
  Object.entries(taskId === undefined ? annotations : { taskId, ...annotations })
    .filter(([name, value]) => !hidden.has(name) && value !== undefined && value !== "")
    .map(([name, value]) => `${name === "taskId" ? "task" : name}=${shortened(name, value)}`)
    .join(" ")

const requestLine = ({ durationMs, method, route, status }: Readonly<Record<string, unknown>>): string =>
  `${shown(method)} ${shown(route)} ${shown(status)} ${shown(durationMs)} ms`

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return Predicate.hasProperty(error, "message") ? oneLine(error.message) : oneLine(error)
}

/**
 * One line for each event: time, level, what happened, and to what. A cause is told in its words; its stack follows for errors, and where debug
 * is on.
 */
export const terminalLines = ({ cause, date, fiber, logLevel, message }: Logger.Options<unknown>): string => {
  const annotations = fiber.getRef(References.CurrentLogAnnotations)
  const isVerbose = logLevel === "Error" || logLevel === "Fatal" || fiber.getRef(References.MinimumLogLevel) === "Debug"
  const hasCause = cause.reasons.length > 0
  const [first, ...rest] = Array.isArray(message) ? message : [message]
  const isRequest = first === "Request"
  const details = detailsOf(annotations)
  const words = [first, ...rest].map((part) => oneLine(part)).join(": ")
  const line = [
    styleText("gray", date.toTimeString().slice(0, 8)),
    styleText(styleOf(logLevel), logLevel.toUpperCase().padEnd(5)),
    isRequest ? requestLine(annotations) : hasCause && !isVerbose ? `${words}: ${reasonOf(cause)}` : words,
    isRequest || details === "" ? "" : styleText("gray", details)
  ]
    .filter((part) => part !== "")
    .join(" ")
  return hasCause && isVerbose ? `${line}\n${Cause.pretty(cause)}` : line
}

/** For a person who watches the service at a terminal. */
export const terminalLogger = Logger.make((options) => {
  process.stdout.write(`${terminalLines(options)}\n`)
})
