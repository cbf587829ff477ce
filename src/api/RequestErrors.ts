import { Schema } from "effect"

/** The body is larger than we take, as sent or once decompressed (413). */
export class RequestTooLarge extends Schema.TaggedError<RequestTooLarge>()(
  "RequestTooLarge",
  {},
  { httpApiStatus: 413 }
) {
  override get message(): string {
    return "request entity too large"
  }
}

/** The body comes in a charset or a content-encoding that we don't read (415). */
export class UnsupportedBody extends Schema.TaggedError<UnsupportedBody>()(
  "UnsupportedBody",
  { message: Schema.String },
  { httpApiStatus: 415 }
) {}
