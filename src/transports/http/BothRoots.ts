import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"

/** A router that mounts every route twice: at the root, and under `/api` for clients of earlier versions (docs/contract/rest.md). */
export const BothRoots: Layer.Layer<HttpRouter.HttpRouter, never, HttpRouter.HttpRouter> = Layer.effect(
  HttpRouter.HttpRouter,
  Effect.map(HttpRouter.HttpRouter, (router) => {
    const underApi = router.prefixed("/api")
    return HttpRouter.HttpRouter.of({
      ...router,
      add: (method, path, handler, options) =>
        Effect.andThen(router.add(method, path, handler, options), underApi.add(method, path, handler, options)),
      addAll: (routes) => Effect.andThen(router.addAll(routes), underApi.addAll(routes))
    })
  })
)
