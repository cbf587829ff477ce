import { DateTime, Option } from "effect"

/** Bounds of values from outside: what PostgreSQL's columns hold, and what no honest sender exceeds. */

/** The largest value of an INTEGER column. */
export const largestInteger = 2 ** 31 - 1

/** The nearest whole number from 0 to 2147483647. NaN is 0. */
export const toInteger = (value: number): number => (value > 0 ? Math.min(largestInteger, Math.round(value)) : 0)

/** The same of any JSON: a number, also one written as text; anything else is 0. */
export const integerOf = (value: unknown): number =>
  typeof value === "number" || typeof value === "string" ? toInteger(Number(value)) : 0

/** At most `longest` UTF-16 code units of the text; a cut one ends with an ellipsis. */
export const shortened = (text: string, longest: number): string =>
  text.length > longest ? `${text.slice(0, longest - 1).toWellFormed()}…` : text

/** The instant, if it is in the years 1 to 9999 (UTC): ISO 8601 has four digits for these, and PostgreSQL reads them. */
export const storableInstant = (at: DateTime.DateTime): Option.Option<DateTime.Utc> =>
  Option.liftPredicate(DateTime.toUtc(at), (utc) => {
    const year = DateTime.getPartUtc(utc, "year")
    return year >= 1 && year <= 9999
  })
