import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { RequestDecoding } from "./RequestDecoding.ts"

/** The greeting, by which the original's clients check that the service runs. */
export class RootApi extends HttpApiGroup.make("root")
  .add(
    HttpApiEndpoint.get("greeting", "/", {
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/html; charset=utf-8" }))
    })
  )
  .middleware(RequestDecoding) {}
