import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../api/Api.ts"
import { ModelCatalog } from "../../models/ModelCatalog.ts"

/** Handlers of `ModelsApi`. */
export const ModelsHandlers = HttpApiBuilder.group(
  Api,
  "models",
  Effect.fn(function* (handlers) {
    const models = yield* ModelCatalog
    return handlers.handle("list", () => models.list)
  })
)
