import { Effect, Schema } from "effect"

const decodeJson = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Json))

/** A request with a JSON body, and the JSON of its answer; null when that is empty. No answer within `patience` ms is a defect. */
export const request = (
  url: string,
  method: string,
  path: string,
  body?: unknown,
  options: { readonly patience?: number } = {}
) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}${path}`, {
      method,
      ...(options.patience === undefined ? {} : { signal: AbortSignal.timeout(options.patience) }),
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, json: text === "" ? null : decodeJson(text) }
  })

export const decodeTask = Schema.decodeUnknownSync(
  Schema.Struct({
    id: Schema.String,
    status: Schema.String,
    control: Schema.String,
    error: Schema.NullOr(Schema.String)
  })
)
