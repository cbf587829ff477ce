import { Schema } from "effect"

/** The user, or the address, has used up its requests of this minute (429); `retryAfter` in seconds. */
export class TooManyRequests extends Schema.TaggedError<TooManyRequests>()(
  "TooManyRequests",
  { retryAfter: Schema.Int },
  { httpApiStatus: 429 }
) {
  override get message(): string {
    return `Too many requests: try again in ${this.retryAfter} s`
  }
}

/** A connection has too many calls or streams open, or an address too many connections and streams (429). */
export class TooManyOpen extends Schema.TaggedError<TooManyOpen>()(
  "TooManyOpen",
  { message: Schema.String },
  { httpApiStatus: 429 }
) {}

/**
 * As many large bodies and answers are in memory as may be; trying again later makes sense (503). With `answerBytes`, the answer to an RPC call
 * has more than `most` bytes: REST sends it in pieces.
 */
export class ServiceBusy extends Schema.TaggedError<ServiceBusy>()(
  "ServiceBusy",
  { answerBytes: Schema.optionalKey(Schema.Int), most: Schema.optionalKey(Schema.Int) },
  { httpApiStatus: 503 }
) {
  override get message(): string {
    return this.answerBytes === undefined
      ? "The service handles as many large requests as it can: try again later"
      : `The answer has ${this.answerBytes} bytes, over RPC at most ${this.most}: ask for a smaller page, or by REST`
  }
}
