import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { DesktopStatus } from "../domain/Desktop.ts"
import { Authentication } from "./Authentication.ts"
import { DatabaseUnavailableBody } from "./ErrorBody.ts"
import { RequestDecoding } from "./RequestDecoding.ts"

/** The desktops that tasks run on (ours). */
export class DesktopsApi extends HttpApiGroup.make("desktops")
  .add(
    HttpApiEndpoint.get("list", "/desktops", {
      success: Schema.Array(DesktopStatus),
      error: DatabaseUnavailableBody
    })
  )
  .middleware(RequestDecoding)
  .middleware(Authentication) {}
