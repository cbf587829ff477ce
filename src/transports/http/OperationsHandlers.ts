import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import packageJson from "../../../package.json" with { type: "json" }
import { Api } from "../../api/Api.ts"
import { Forbidden } from "../../domain/AccountErrors.ts"
import { Caller } from "../../domain/Caller.ts"
import { SocketStats } from "../SocketStats.ts"

const version = { service: packageJson.name, version: packageJson.version, node: process.version }

/** Handlers of `OperationsApi`. */
export const OperationsHandlers = HttpApiBuilder.group(
  Api,
  "operations",
  Effect.fn(function* (handlers) {
    const sockets = yield* SocketStats
    return handlers
      .handle("version", () => Effect.succeed(version))
      .handle("sockets", () =>
        Effect.flatMap(Caller, ({ seesAll }) =>
          seesAll
            ? Effect.map(sockets.current, (websocket) => ({ websocket }))
            : Effect.fail(new Forbidden({ message: "The rooms of all tasks are for administrators" }))
        )
      )
  })
)
