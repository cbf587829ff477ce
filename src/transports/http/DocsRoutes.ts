import { Effect, Scope } from "effect"
import { HttpRouter } from "effect/http"

/** Built from the whole API at the first request for one of them, as that takes a moment. */
const paths = ["/openapi.json", "/asyncapi.json", "/docs", "/docs/events"] as const

/** The API's documents: OpenAPI and AsyncAPI, and pages of both for people. */
export const DocsRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const pages = yield* Effect.cached(
      Effect.gen(function* () {
        const { DocsPages } = yield* Effect.promise(() => import("./DocsPages.ts"))
        return yield* HttpRouter.toHttpEffect(DocsPages)
      }).pipe(Effect.provideService(Scope.Scope, yield* Effect.scope))
    )
    yield* router.addAll(paths.map((path) => HttpRouter.route("GET", path, Effect.flatten(pages))))
  })
)
