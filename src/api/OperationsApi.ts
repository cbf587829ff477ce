import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { SocketStatistics, Version } from "../domain/Operations.ts"
import { Authentication } from "./Authentication.ts"
import { ForbiddenBody } from "./ErrorBody.ts"

/** For those who run the service. While accounts are on, the rooms of everybody's tasks are for administrators. */
export class OperationsApi extends HttpApiGroup.make("operations")
  .add(
    HttpApiEndpoint.get("version", "/version", { success: Version }),
    HttpApiEndpoint.get("sockets", "/ws-stats", { success: SocketStatistics, error: ForbiddenBody })
  )
  .middleware(Authentication) {}
