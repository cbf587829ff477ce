import { Arbitrary, Schema } from "effect"

/** Ingredients of requests that nobody sends by mistake. */

/** A whole number, both bounds included. */
export const integer = (minimum: number, maximum: number): Arbitrary.Arbitrary<number> =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

export const oneOf = <A>(...choices: ReadonlyArray<Arbitrary.Arbitrary<A>>): Arbitrary.Arbitrary<A> => {
  const [first] = choices
  if (first === undefined) throw new Error("nothing to choose from")
  return Arbitrary.flatMap(integer(0, choices.length - 1), (index) => choices[index] ?? first)
}

export const among = <A>(...values: ReadonlyArray<A>): Arbitrary.Arbitrary<A> =>
  oneOf(...values.map((value) => Arbitrary.Constant(value)))

/** The list's first value more often than not. */
export const mostly = <A>(usual: Arbitrary.Arbitrary<A>, odd: Arbitrary.Arbitrary<A>): Arbitrary.Arbitrary<A> =>
  oneOf(usual, usual, odd)

const oddTexts = [
  "",
  " ",
  "\0",
  "a\0b",
  "\ud800",
  "\udc00\ud800",
  "\ufeffx",
  "\u202egnp.exe",
  "𝕏".repeat(300),
  "é".normalize("NFD"),
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "null",
  "undefined",
  "NaN",
  "-0",
  "1e999",
  "0x7fffffffffffffff",
  "9".repeat(400),
  '\'; DROP TABLE "Task"; --',
  "%00",
  "%zz",
  "%c0%af",
  "%E0%A4%A",
  "%u0041",
  "../../../../etc/passwd",
  "..\\..\\windows\\win.ini",
  "/dev/null",
  "C:\\CON",
  "$(reboot)`reboot`",
  "$\x7bjndi:ldap://x}",
  "{{7*7}}",
  "<script>alert(1)</script>",
  "\r\nSet-Cookie: a=b",
  "a\nb\r\nc",
  "\x1b[2J\x07",
  "A".repeat(5_000),
  "A".repeat(70_000),
  "2025-02-30T00:00:00Z",
  "+275760-09-13T00:00:00Z",
  "data:;base64,AAAA",
  "=".repeat(1_000),
  "00000000-0000-0000-0000-000000000000"
]

export const text = oneOf(among(...oddTexts), Arbitrary.schema(Schema.String))

const oddNumbers = [
  "0",
  "-0",
  "-1",
  "1.5",
  "1e400",
  "-1e400",
  "5e-324",
  "9007199254740993",
  "2147483648",
  "1".repeat(309)
]

const scalar = oneOf(
  Arbitrary.map(text, (value) => JSON.stringify(value)),
  among(...oddNumbers),
  among("null", "true", "false", "[]", "{}", '""')
)

const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth)

/** Texts that are JSON, or almost. */
const strange = among(
  nested(1_000, "[", "]"),
  nested(20_000, "[", "]"),
  `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
  "[".repeat(100_000),
  `[${"0,".repeat(20_000)}0]`,
  '{"__proto__":{"description":"x"}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '"\\ud800"',
  '"\\u0000"',
  "{",
  '{"a":1,}',
  "\ufeff{}",
  "// comment",
  "'single'",
  "NaN",
  "",
  " ",
  "\0",
  '"lonely"',
  "5",
  "nul",
  `{${Array.from({ length: 3_000 }, (_, index) => `"k${index}":0`).join(",")}}`
)

const keys = oneOf(
  among("description", "model", "provider", "name", "files", "base64", "size", "type", "__proto__", "length", "toJSON"),
  text
)

const objectOf = (value: Arbitrary.Arbitrary<string>): Arbitrary.Arbitrary<string> =>
  Arbitrary.map(
    Arbitrary.array(Arbitrary.all([keys, value]), { maxLength: 6 }),
    (entries) => `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${item}`).join(",")}}`
  )

const listOf = (value: Arbitrary.Arbitrary<string>): Arbitrary.Arbitrary<string> =>
  Arbitrary.map(Arbitrary.array(value, { maxLength: 6 }), (items) => `[${items.join(",")}]`)

const shallow = oneOf(scalar, objectOf(scalar), listOf(scalar))

/** A JSON text of any kind, some of them broken. */
export const json = oneOf(shallow, shallow, objectOf(shallow), listOf(shallow), strange)
