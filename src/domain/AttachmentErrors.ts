import { Schema } from "effect"

/** The task has no such file (404). */
export class FileNotFound extends Schema.TaggedError<FileNotFound>()(
  "FileNotFound",
  { id: Schema.String },
  { httpApiStatus: 404 }
) {
  override get message(): string {
    return `File with ID ${this.id} not found`
  }
}

/** The message has no image of this number, or there is no such message (404); `id` is the message's. */
export class ImageNotFound extends Schema.TaggedError<ImageNotFound>()(
  "ImageNotFound",
  { id: Schema.String },
  { httpApiStatus: 404 }
) {
  override get message(): string {
    return `Message ${this.id} has no such image`
  }
}
