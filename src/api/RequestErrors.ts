import { Schema } from "effect"

/** The body exceeds the limit, as sent or once decompressed (413). */
export class RequestTooLarge extends Schema.TaggedError<RequestTooLarge>()(
  "RequestTooLarge",
  {},
  { httpApiStatus: 413 }
) {
  override get message(): string {
    return "request entity too large"
  }
}

/** The body's charset or content-encoding is not supported (415). */
export class UnsupportedBody extends Schema.TaggedError<UnsupportedBody>()(
  "UnsupportedBody",
  { message: Schema.String },
  { httpApiStatus: 415 }
) {}
