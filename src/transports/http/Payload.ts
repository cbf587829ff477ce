import { Effect, Schema } from "effect"
import { RequestBody } from "../../api/RequestDecoding.ts"
import { invalidInput } from "./InvalidInput.ts"

/** The request's body by its schema; fields that it does not know are ignored. Fails with `InvalidRequest`. */
export const payloadOf = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return Effect.flatMap(RequestBody, (fields) => decode(fields)).pipe(
    Effect.catchTag("SchemaError", ({ issue }) => Effect.fail(invalidInput(issue)))
  )
}
