import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { Model } from "../domain/Model.ts"
import { Authentication } from "./Authentication.ts"
import { ModelsUnavailableBody } from "./ErrorBody.ts"
import { RequestDecoding } from "./RequestDecoding.ts"

/** The models that a new task can choose from. */
export class ModelsApi extends HttpApiGroup.make("models")
  .add(
    HttpApiEndpoint.get("list", "/tasks/models", {
      success: Schema.Array(Model),
      error: ModelsUnavailableBody
    })
  )
  .middleware(RequestDecoding)
  .middleware(Authentication) {}
