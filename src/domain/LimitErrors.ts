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

/** As many large bodies and answers are in memory as may be; trying again later makes sense (503). */
export class ServiceBusy extends Schema.TaggedError<ServiceBusy>()("ServiceBusy", {}, { httpApiStatus: 503 }) {
  override get message(): string {
    return "The service handles as many large requests as it can: try again later"
  }
}
