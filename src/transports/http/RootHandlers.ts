import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"

/** Handlers of `RootApi`. */
export const RootHandlers = HttpApiBuilder.group(Api, "root", (handlers) =>
  handlers.handle("greeting", () => Effect.succeed("Hello World!"))
)
