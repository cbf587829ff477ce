import { DateTime, Effect, Option, Schema, SchemaGetter, SchemaIssue } from "effect"
import { storableInstant } from "../domain/Bounds.ts"
import { TaskId } from "../domain/Task.ts"
import { TaskCursor } from "../domain/TaskCursor.ts"

/** Kinds of fields in requests. `expected` completes the sentence that a client reads when a field does not decode. */

/** Sets the message for values of another type, too. */
export const expecting = (expected: string) => ({ expected, message: `Expected ${expected}` })

const withoutNul = Schema.makeFilter((text: string) => !text.includes("\0"), {
  expected: "text without NUL characters"
})

/** Text that PostgreSQL can hold: it has no NUL. */
export const Text = Schema.String.annotate(expecting("text")).check(withoutNul)

const notEmpty = expecting("text that is not empty")

export const NonEmptyText = Schema.String.annotate(notEmpty).check(Schema.isNonEmpty(notEmpty), withoutNul)

/** Any text is an id that can be looked up (docs/contract/rest.md), but for NUL. */
export const TaskIdText = TaskId.check(withoutNul)

/** A codec from a plain function, which returns None for an invalid input. */
const parsedAs = <A, I>(
  from: Schema.Codec<I>,
  to: Schema.Codec<A>,
  expected: string,
  parse: (input: I) => Option.Option<A>,
  print: (value: A) => I
) =>
  from.pipe(
    Schema.decodeTo(to, {
      decode: SchemaGetter.transformEffect((input: I, options) =>
        Option.match(parse(input), {
          onNone: () => Effect.fail(new SchemaIssue.InvalidValue({ expected }, input, options)),
          onSome: Effect.succeed
        })
      ),
      encode: SchemaGetter.transform(print)
    })
  )

/** The field, or `""` or null, which mean that it is absent: the original takes its default then. */
export const blankAsAbsent = <S extends Schema.Top>(field: S, expected: string) =>
  Schema.Union([field, Schema.Literal(""), Schema.Null])
    .annotate({ expected })
    .pipe(
      Schema.decodeTo(Schema.UndefinedOr(Schema.toType(field)), {
        decode: SchemaGetter.transform((value: S["Type"] | "" | null): S["Type"] | undefined =>
          value === "" || value === null ? undefined : value
        ),
        encode: SchemaGetter.transform((value: S["Type"] | undefined): S["Type"] | "" | null => value ?? null)
      })
    )

/** One of the literals; `""` and null mean the default. */
export const choiceOf = <const L extends ReadonlyArray<string>>(literals: Schema.Literals<L>) => {
  const expected = `one of ${literals.literals.join(", ")}`
  return blankAsAbsent(literals.annotate(expecting(expected)), expected)
}

const instantPattern = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)$/i

/**
 * An ISO 8601 date with time and zone, in the years 1 to 9999. A finer time than milliseconds is cut. Without a zone it
 * would not be an instant; days that the month lacks are refused.
 */
const parseInstant = (text: string): Option.Option<DateTime.Utc> => {
  const [, year, month, day] = instantPattern.exec(text) ?? []
  if (year === undefined || Number(day) > new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()) {
    return Option.none()
  }
  const spelled = text
    .toUpperCase()
    .replace(",", ".")
    .replace(/([+-]\d\d)(\d\d)$/, "$1:$2")
    .replace(/(T.*[+-]\d\d)$/, "$1:00")
  return DateTime.make(spelled).pipe(Option.flatMap(storableInstant))
}

export const InstantText = parsedAs(
  Schema.String,
  Schema.DateTimeUtc,
  "an ISO 8601 date with time and zone, such as 2030-01-31T09:00:00Z",
  parseInstant,
  DateTime.formatIso
)

/** RFC 4648 section 4, but as tolerant as the original's readers: a data URL's prefix, line breaks, missing padding. */
const parseBase64 = (text: string): Option.Option<string> => {
  const prefix = /^data:[^,]{0,255};base64,/i.exec(text)?.[0] ?? ""
  const data = (prefix === "" ? text : text.slice(prefix.length)).replace(/[ \t\r\n]+/g, "")
  const padding = /={0,2}$/.exec(data.slice(-2))?.[0] ?? ""
  const digits = data.slice(0, data.length - padding.length)
  const complete = padding === "" ? digits.length % 4 !== 1 : data.length % 4 === 0
  return Option.liftPredicate(data, () => complete && !/[^A-Za-z0-9+/]/.test(digits))
}

/** Base64 data, without the prefix of a data URL once decoded. */
export const Base64Text = parsedAs(
  Schema.String,
  Schema.String,
  "base64 data, or a data URL with base64 data",
  parseBase64,
  (data) => data
)

/** The query's value of a parameter; a repeated one is what JavaScript makes of the list, as in the original. */
export const QueryText = Schema.Union([Schema.String, Schema.Array(Schema.String)])

const queryParameter = <A>(
  to: Schema.Codec<A>,
  expected: string,
  parse: (text: string) => Option.Option<A>,
  print: (value: A) => string
) =>
  parsedAs(
    QueryText,
    Schema.UndefinedOr(to),
    expected,
    (input) => {
      const text = String(input)
      return text === "" ? Option.some(undefined) : parse(text)
    },
    (value) => (value === undefined ? "" : print(value))
  )

/** A whole number as parseInt reads it: `1.9` is 1 and `5abc` is 5 (docs/contract/rest.md, "Bad query values"). Empty means absent. */
export const queryNumber = (minimum: number, maximum: number) =>
  queryParameter(
    Schema.Int,
    `a whole number from ${minimum} to ${maximum}`,
    (text) => {
      const value = Number.parseInt(text, 10) + 0
      return Option.liftPredicate(value, () => value >= minimum && value <= maximum)
    },
    String
  )

/** A comma list of the literals. Empty means absent. */
export const queryList = <const L extends ReadonlyArray<string>>(literals: Schema.Literals<L>) =>
  queryParameter(
    Schema.Array(literals),
    `a comma list of ${literals.literals.join(", ")}`,
    (text) => Option.all(text.split(",").map((part) => Option.liftPredicate(part, Schema.is(literals)))),
    (values) => values.join(",")
  )

/** One of the literals. Empty means absent. */
export const queryChoice = <const L extends ReadonlyArray<string>>(literals: Schema.Literals<L>) =>
  queryParameter(
    literals,
    `one of ${literals.literals.join(", ")}`,
    (text) => Option.liftPredicate(text, Schema.is(literals)),
    String
  )

/** Text to search for. Empty means absent. */
export const queryText = (longest: number) =>
  queryParameter(
    Text,
    `text of ${longest} characters at most, without NUL`,
    (text) => Option.liftPredicate(text, () => text.length <= longest && !text.includes("\0")),
    (text) => text
  )

/** A task's place in the list, opaque to clients: milliseconds and position. */
const cursorText = ({ createdAt, position }: TaskCursor): string => `${DateTime.toEpochMillis(createdAt)}-${position}`

const parseCursor = (text: string): Option.Option<TaskCursor> => {
  const [, millis, position] = /^(\d{1,14})-(\d{1,18})$/.exec(text) ?? []
  return millis === undefined || position === undefined
    ? Option.none()
    : Option.some({ createdAt: DateTime.makeUnsafe(Number(millis)), position: BigInt(position) })
}

/** A cursor in an answer. */
export const TaskCursorText = parsedAs(Schema.String, TaskCursor, "a cursor", parseCursor, cursorText)

/** Where a page begins: after the task that an earlier page ended with; empty (None) means before the newest. */
export const queryCursor = parsedAs(
  QueryText,
  Schema.Option(TaskCursor),
  "nothing, or the `next` of an answer",
  (input) => {
    const text = String(input)
    return text === "" ? Option.some(Option.none()) : Option.map(parseCursor(text), Option.some)
  },
  (cursor) => Option.match(cursor, { onNone: () => "", onSome: cursorText })
)

/** Query parameters of a page; the page's number counts from 1. Absent ones mean page 1 and 10 items. */
export const pageQuery = {
  page: Schema.optionalKey(queryNumber(1, 2 ** 31 - 1)),
  limit: Schema.optionalKey(queryNumber(0, 10_000))
}
