import { Schema } from "effect"

/** Characters of a picture in base64: 32 MB. */
const largestPicture = Math.ceil((32 * 1024 * 1024) / 3) * 4

/** A PNG picture (its signature: RFC 2083, section 12.11) in base64. */
export const Screenshot = Schema.Struct({
  image: Schema.String.check(Schema.isStartingWith("iVBORw0KGgo"), Schema.isMaxLength(largestPicture))
})
