import { Duration, Effect, Option, Redacted, Schema, SchemaGetter, SchemaIssue } from "effect"
import { Model, ModelProvider } from "../domain/Model.ts"

/** How one kind of setting is read from text. `expected` completes the sentence "expected …". */
export interface SettingKind<S extends Schema.Top> {
  readonly schema: S
  readonly expected: string
  /** The value must never be shown, not even when it is wrong. */
  readonly secret: boolean
}

/**
 * A kind from a plain function: `decode` gives None for text that is not such a value. Settings are only ever read, so
 * encoding is refused.
 */
const kind = <A>(type: Schema.Codec<A>, expected: string, decode: (text: string) => Option.Option<A>) => ({
  schema: Schema.String.pipe(
    Schema.decodeTo(type, {
      decode: SchemaGetter.transformEffect((text: string, options) =>
        Option.match(decode(text), {
          onNone: () => Effect.fail(new SchemaIssue.InvalidValue({ expected }, text, options)),
          onSome: Effect.succeed
        })
      ),
      encode: SchemaGetter.forbidden(() => "Settings are read, never written")
    })
  ),
  expected,
  secret: false
})

/**
 * A #, / or ? in the password ends the authority of a URL early. The rest of the password, an @ and the host then stand in path, query or
 * fragment, and what comes before, a part of the password, is taken for the port.
 */
const isCutShort = ({ hash, pathname, searchParams, username }: URL): boolean =>
  hash.includes("@") ||
  (username === "" && pathname.includes("@")) ||
  [...searchParams.keys()].some((name) => name.includes("@"))

const parseUrl = (text: string): Option.Option<URL> =>
  Option.filter(Option.fromNullishOr(URL.parse(text)), (url) => !isCutShort(url))

/** The http(s) URL as given; None for anything else. */
const parseEndpoint = (text: string): Option.Option<URL> =>
  Option.filter(parseUrl(text), ({ protocol }) => /^https?:$/.test(protocol))

/** A base that paths are appended to: no slash at its end, and no query or fragment, which would swallow the paths. */
const parseBaseUrl = (text: string): Option.Option<string> =>
  parseEndpoint(text).pipe(
    Option.filter(({ search, hash }) => search === "" && hash === ""),
    Option.map(({ href }) => href.replace(/\/+$/, ""))
  )

/** The decoded parts of a comma list, trimmed, without empty parts and repetitions; None if one of them is wrong. */
const parseList = (text: string, parsePart: (part: string) => Option.Option<string>) => {
  const parts = text.split(",").map((part) => part.trim())
  return Option.map(Option.all(parts.filter((part) => part !== "").map(parsePart)), (list) => [...new Set(list)])
}

const isFilled = (list: ReadonlyArray<unknown>) => list.length > 0

const parseInteger = (text: string, minimum: number, maximum: number) =>
  Option.liftPredicate(Number(text), (value) => /^\d+$/.test(text) && value >= minimum && value <= maximum)

/** Any text that is not empty. */
export const text = kind(Schema.String, "some text", Option.some)

/** A secret: any text, kept Redacted. */
export const secretText = {
  schema: Schema.RedactedFromValue(Schema.String),
  expected: "some text",
  secret: true
}

/** A secret URL with one of `protocols` (each with its colon). */
export const secretUrl = (...protocols: ReadonlyArray<string>) => ({
  ...kind(
    Schema.Redacted(Schema.String),
    `a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}, with @ as %40, # as %23, / as %2F and ? as %3F in user and password`,
    (text) =>
      Option.map(
        Option.filter(parseUrl(text), ({ protocol }) => protocols.includes(protocol)),
        () => Redacted.make(text)
      )
  ),
  secret: true
})

/** An http(s) URL to send to, as given. */
export const endpointUrl = kind(Schema.String, "an http:// or https:// URL", (url) =>
  Option.as(parseEndpoint(url), url)
)

/** An http(s) URL without query that paths are appended to; decoded without a slash at its end. */
export const baseUrl = kind(Schema.String, "an http:// or https:// URL without query", parseBaseUrl)

/** A desktop: `url` is that of its daemon, without a slash at its end; `name` is what clients call it. */
const NamedDesktop = Schema.Struct({ name: Schema.String, url: Schema.String })
type NamedDesktop = typeof NamedDesktop.Type

/** `name=URL`, or a URL, whose host, port and path are the name then. */
const parseDesktop = (part: string): Option.Option<NamedDesktop> => {
  const [, given, rest] = /^([\w.-]+)=(.*)$/s.exec(part) ?? []
  return Option.map(parseBaseUrl(rest ?? part), (url) => {
    const { host, pathname } = new URL(url)
    return { name: given ?? `${host}${pathname.replace(/\/+$/, "")}`, url }
  })
}

const areDistinct = (values: ReadonlyArray<string>) => new Set(values).size === values.length

/** A comma list of desktops, without repeated entries; it may be empty. No two have the same name or the same URL. */
export const desktops = kind(
  Schema.Array(NamedDesktop),
  "http:// or https:// URLs without query, or name=URL, separated by commas; each name and each URL once",
  (value) => {
    const entries = Option.map(parseList(value, Option.some), (parts) => parts.map(parseDesktop))
    return Option.flatMap(entries, Option.all).pipe(
      Option.map((list) => [...new Map(list.map((desktop) => [`${desktop.name} ${desktop.url}`, desktop])).values()]),
      Option.filter((list) => areDistinct(list.map(({ name }) => name)) && areDistinct(list.map(({ url }) => url)))
    )
  }
)

/** A comma list of texts without repetitions. */
export const list = kind(Schema.Array(Schema.String), "a list, separated by commas", (value) =>
  Option.filter(parseList(value, Option.some), isFilled)
)

const Application = Schema.Struct({ name: Schema.String, purpose: Schema.UndefinedOr(Schema.String) })

/** A comma list of applications as name or name=purpose. */
export const applications = kind(
  Schema.Array(Application),
  "names, or name=purpose, separated by commas; each name once and of 64 characters at most",
  (value) => {
    const parts = value.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim().split(/\s*=\s*(.*)/s, 2)]))
    const found = parts.map(([name = "", purpose]) => ({ name, purpose: purpose === "" ? undefined : purpose }))
    const isValid = found.every(({ name }) => /^[^\p{Cc}]{1,64}$/u.test(name))
    return Option.liftPredicate(found, (list) => isValid && isFilled(list) && areDistinct(list.map(({ name }) => name)))
  }
)

/** `name=value` pairs, percent-encoded as in W3C Baggage (OpenTelemetry, "General SDK configuration"); None if one is no such pair. */
const parseKeyValues = (text: string): Option.Option<Readonly<Record<string, string>>> => {
  const decode = Option.liftThrowable(decodeURIComponent)
  const pairs = text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const [, name, value] = /^\s*([^=\s]+)\s*=(.*)$/s.exec(part) ?? []
      return name === undefined || value === undefined
        ? Option.none()
        : Option.all([decode(name), decode(value.trim())] as const)
    })
  return Option.map(Option.all(pairs), Object.fromEntries)
}

const StringRecord = Schema.Record(Schema.String, Schema.String)

/** A comma list of name=value. */
export const keyValues = kind(StringRecord, "name=value, separated by commas", parseKeyValues)

/** Headers as a comma list of name=value, kept Redacted. */
export const secretKeyValues = {
  ...kind(Schema.Redacted(StringRecord), "name=value, separated by commas, each name that of a header", (text) =>
    Option.map(
      Option.filter(parseKeyValues(text), (pairs) => Object.entries(pairs).every(isHeader)),
      (pairs) => Redacted.make(pairs)
    )
  ),
  secret: true
}

/** RFC 9110, section 5: a token, and no control characters in its value. */
const isHeader = ([name, value]: readonly [string, string]): boolean =>
  /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)

/** A comma list of web origins (RFC 6454: scheme, host, port), or `*` for all. */
export const origins = kind(
  Schema.Array(Schema.String),
  "origins such as https://app.example.com, separated by commas, or *",
  (value) => {
    const parseOrigin = (part: string) =>
      part === "*" ? Option.some(part) : Option.map(parseBaseUrl(part), (url) => new URL(url).origin)
    return Option.filter(parseList(value, parseOrigin), isFilled)
  }
)

/** A host name or address to listen on. */
export const host = kind(Schema.String, "a host name or an address", (value) =>
  Option.liftPredicate(value, (name) => /^[^\s/]+$/.test(name))
)

/** A whole number within bounds (both included). */
export const integer = (minimum: number, maximum: number) =>
  kind(Schema.Int, `a whole number from ${minimum} to ${maximum}`, (value) => parseInteger(value, minimum, maximum))

/** A number from 0 to 1. */
export const fraction = kind(Schema.Finite, "a number from 0 to 1", (value) =>
  Option.liftPredicate(Number(value), (number) => /^\d*\.?\d+$/.test(value) && number <= 1)
)

/** Timers of Node count milliseconds in 31 bits. */
const longestTimer = 2 ** 31 - 1

/** A duration, written as a whole number of milliseconds. */
export const milliseconds = (minimum: number) =>
  kind(Schema.Duration, `milliseconds, a whole number from ${minimum} to ${longestTimer}`, (value) =>
    Option.map(parseInteger(value, minimum, longestTimer), Duration.millis)
  )

const truths = new Map(
  Object.entries({ true: true, "1": true, yes: true, on: true, false: false, "0": false, no: false, off: false })
)

/** true or false, in the spellings that are common in environments. */
export const boolean = kind(Schema.Boolean, "true or false", (value) =>
  Option.fromNullishOr(truths.get(value.toLowerCase()))
)

/** One of several words, in any case; decoded to the spelling given here. */
export const oneOf = <const L extends string>(...words: ReadonlyArray<L>) =>
  kind(Schema.Literals(words), `one of ${words.join(", ").toLowerCase()}`, (value) =>
    Option.fromNullishOr(words.find((word) => word.toLowerCase() === value.toLowerCase()))
  )

const ConfiguredModel = Schema.Struct({
  provider: ModelProvider,
  name: Schema.NonEmptyString,
  title: Schema.optionalKey(Schema.NonEmptyString),
  contextWindow: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0)))
}).pipe(
  Schema.decodeTo(Model, {
    decode: SchemaGetter.transform(({ provider, name, title = name, contextWindow = 200_000 }) => ({
      provider,
      name,
      title,
      contextWindow
    })),
    encode: SchemaGetter.transform((model) => ({ ...model }))
  })
)

/** Models as a JSON array; the title defaults to the name, the context window to 200000 tokens. */
export const models = {
  schema: Schema.fromJsonString(Schema.Array(ConfiguredModel).check(Schema.isMinLength(1))),
  expected: `a JSON array of {"provider": "${ModelProvider.literals.join("|")}", "name": …, "title"?: …, "contextWindow"?: …}`,
  secret: false
}

const decodeHeaders = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Record(ModelProvider, Schema.optionalKey(StringRecord)))
)

/** Headers by provider as a JSON object, kept Redacted. */
export const secretHeaders = {
  ...kind(
    Schema.Redacted(Schema.Record(Schema.String, StringRecord)),
    'a JSON object of providers to headers: {"anthropic": {"x-team": "…"}}; providers: anthropic, openai, google, proxy',
    (text) =>
      Option.map(
        Option.filter(decodeHeaders(text), (given) =>
          Object.values(given).every((headers) => Object.entries(headers).every(isHeader))
        ),
        (given) => Redacted.make(given)
      )
  ),
  secret: true
}

const Dollars = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))

/** Prices by model, as a JSON object. */
export const modelPrices = {
  schema: Schema.fromJsonString(
    Schema.Record(
      Schema.NonEmptyString,
      Schema.Struct({
        input: Dollars,
        output: Dollars,
        cacheRead: Schema.optionalKey(Dollars),
        cacheWrite: Schema.optionalKey(Dollars)
      })
    )
  ),
  expected: `a JSON object of "provider/name", "name" or "provider/*" to {"input": …, "output": …, "cacheRead"?: …, "cacheWrite"?: …}`,
  secret: false
}

const parseModelReference = (text: string) => {
  const [, provider, name] = /^(\w+)\/(.+)$/.exec(text) ?? []
  return Schema.is(ModelProvider)(provider) && name !== undefined ? Option.some({ provider, name }) : Option.none()
}

/** A comma list of models as provider/name; a name may have slashes itself. */
export const modelReferences = kind(
  Schema.Array(Schema.Struct({ provider: ModelProvider, name: Schema.String })),
  `models as provider/name (providers: ${ModelProvider.literals.join(", ")}), separated by commas`,
  (value) =>
    Option.filter(parseList(value, Option.some), isFilled).pipe(
      Option.flatMap((parts) => Option.all(parts.map(parseModelReference)))
    )
)

/** An amount of money above 0. */
export const amount = kind(Schema.Finite, "a number above 0", (value) =>
  Option.filter(Option.some(Number(value)), (number) => Number.isFinite(number) && number > 0)
)
