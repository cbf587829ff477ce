import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { SocketStatistics, Version } from "../domain/Operations.ts"
import { Authentication } from "./Authentication.ts"
import { ForbiddenBody } from "./ErrorBody.ts"

/** For operators. While accounts are on, only administrators see the rooms of all tasks. */
export class OperationsApi extends HttpApiGroup.make("operations")
  .add(
    HttpApiEndpoint.get("version", "/version", { success: Version }),
    HttpApiEndpoint.get("sockets", "/ws-stats", { success: SocketStatistics, error: ForbiddenBody })
  )
  .middleware(Authentication) {}
