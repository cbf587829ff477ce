import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"

/** Handlers of `RootApi`. A browser that asks for a page is led to the console; the original's clients get the greeting. */
export const RootHandlers = HttpApiBuilder.group(Api, "root", (handlers) =>
  handlers.handleRaw("greeting", ({ request }) =>
    Effect.succeed(
      request.url === "/" && request.headers.accept?.includes("text/html") === true
        ? HttpServerResponse.redirect("console/", { headers: { vary: "accept" } })
        : HttpServerResponse.text("Hello World!", {
            contentType: "text/html; charset=utf-8",
            headers: { vary: "accept" }
          })
    )
  )
)
