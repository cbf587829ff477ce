import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Authentication } from "./Authentication.ts"
import { DatabaseUnavailableBody, FileNotFoundBody, ImageNotFoundBody } from "./ErrorBody.ts"
import { RequestDecoding } from "./RequestDecoding.ts"
import { queryNumber, TaskIdText, Text } from "./RequestFields.ts"

/** Files and pictures as bytes, so that clients need not take megabytes of base64. A stored one never changes. */
export class AttachmentsApi extends HttpApiGroup.make("attachments")
  .add(
    HttpApiEndpoint.get("file", "/tasks/:id/files/:fileId", {
      params: { id: TaskIdText, fileId: Text },
      success: HttpApiSchema.StreamUint8Array(),
      error: [FileNotFoundBody, DatabaseUnavailableBody]
    }),
    HttpApiEndpoint.get("image", "/messages/:id/images/:n", {
      params: { id: Text, n: Text },
      query: {
        w: Schema.optionalKey(
          queryNumber(1, 4096).annotate({ description: "As WebP without alpha, at most so many pixels wide" })
        )
      },
      success: HttpApiSchema.StreamUint8Array({ contentType: "image/png" }),
      error: [ImageNotFoundBody, DatabaseUnavailableBody]
    })
  )
  .middleware(RequestDecoding)
  .middleware(Authentication) {}
