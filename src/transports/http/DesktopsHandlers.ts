import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { DesktopStates } from "../../tasks/DesktopStates.ts"

/** Handlers of `DesktopsApi`. */
export const DesktopsHandlers = HttpApiBuilder.group(
  Api,
  "desktops",
  Effect.fn(function* (handlers) {
    const desktops = yield* DesktopStates
    return handlers.handle("list", () => desktops.list)
  })
)
