import { Effect, Option, Predicate, Schema, Stream } from "effect"
import { Sse } from "effect/encoding"
import { ModelError } from "./LanguageModel.ts"

/** Puts the events of a streamed answer together into the answer that the provider would have given at once. */
export interface Assembly {
  /** Takes the JSON of an event; true: it says that the answer has failed, and is the answer itself. */
  readonly add: (event: unknown) => boolean
  /** The provider says that nothing more comes. */
  readonly done: () => void
  /** Undefined before the end. */
  readonly answer: () => unknown
}

/** Characters of one event; some repeat the whole answer. */
const maxEventSize = 32 * 1024 * 1024

/** Characters that tell an event stream from other texts. */
const telling = 64

/** A line that an event stream begins with; some gateways call it JSON. */
const streamLine = /^\uFEFF?\s*(?:data|event|id|retry)?:/

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

/**
 * Reads an answer to its end, whether it is streamed or, as some gateways do although they are asked to stream, sent at once: that one is
 * given as JSON, or as text if it is none. `whose` names the provider in errors, such as "OpenAI's".
 */
export const readAnswer = (whose: string, response: Response, assembly: Assembly) =>
  Effect.gen(function* () {
    const brokeOff = (words: string) => new ModelError({ reason: "Unavailable", message: `${whose} answer ${words}` })
    const { body } = response
    if (body === null) return ""
    const texts: Array<string> = []
    let head = ""
    let isStream: boolean | undefined
    const events: Array<string> = []
    const parser = Sse.makeParser((event) => event._tag === "Event" && events.push(event.data), { maxEventSize })

    const feed = Effect.fnUntraced(function* (text: string) {
      if (parser.feed(text) !== undefined) return yield* brokeOff("has an event that is too large")
      for (const data of events.splice(0)) {
        if (data.trim() === "[DONE]") assembly.done()
        else if (data !== "") {
          const event = decodeJson(data)
          if (Option.isNone(event)) return yield* brokeOff("broke off: an event of its stream is no JSON")
          if (assembly.add(event.value)) return true
        }
      }
      return false
    })

    const take = Effect.fnUntraced(function* (text: string) {
      if (isStream === true) return yield* feed(text)
      texts.push(text)
      if (isStream === false) return false
      head += text
      if (!head.includes("\n") && head.length < telling) return false
      isStream = streamLine.test(head)
      return isStream ? yield* feed(texts.splice(0).join("")) : false
    })

    yield* Stream.fromReadableStream({
      evaluate: () => body,
      onError: (cause) => brokeOff(`broke off: ${cause instanceof Error ? cause.message : "the connection ended"}`)
    }).pipe(
      Stream.decodeText,
      Stream.mapEffect(take),
      Stream.takeUntil((isFailed) => isFailed),
      Stream.runDrain
    )
    if (isStream !== true) {
      const text = texts.join("")
      return Option.getOrElse(decodeJson(text), (): unknown => text)
    }
    // The last event may lack the empty line after it.
    yield* feed("\n\n")
    return assembly.answer() ?? (yield* brokeOff("broke off before its end"))
  })

/** Whether an endpoint's refusal is that of a stream. */
export const isStreamRefused = (words: string): boolean => /\bstream(ing|_options)?\b/i.test(words)

export type Fields = Readonly<Record<string, unknown>>

export const fieldsOf = (value: unknown): Fields => (Predicate.isObject(value) ? value : {})

export const wordsIn = (value: unknown): string => (typeof value === "string" ? value : "")

/** Numbers of parts beyond this are a broken provider's. */
export const mostParts = 2_000
