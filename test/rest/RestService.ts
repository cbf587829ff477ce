import { request } from "node:http"
import { Context, Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { migrated } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"

export interface Sent {
  readonly method?: string
  /** The request target, byte for byte. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
}

export interface Answer {
  readonly status: number
  /** Names in lower case; repeated ones joined with a comma. */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** One request on a connection of its own, with nothing added to it or normalised. */
export const send = (base: string, { body, headers = {}, method = "GET", path }: Sent): Effect.Effect<Answer> =>
  Effect.callback((resume) => {
    const outgoing = request(base, { method, path, agent: false, headers }, (incoming) => {
      const chunks: Array<Buffer> = []
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
      incoming.on("end", () =>
        resume(
          Effect.succeed({
            status: incoming.statusCode ?? 0,
            headers: Object.fromEntries(
              Object.entries(incoming.headersDistinct).map(([name, values = []]) => [name, values.join(", ")])
            ),
            text: Buffer.concat(chunks).toString("utf8")
          })
        )
      )
    })
    outgoing.on("error", (error) => resume(Effect.die(error)))
    outgoing.end(body)
  })

/** The whole service over HTTP, on a database of its own, without a desktop. */
export class RestService extends Context.Service<
  RestService,
  {
    readonly url: string
    readonly sql: SqlClient.SqlClient
    readonly send: (sent: Sent) => Effect.Effect<Answer>
    /** Sends a JSON body, by POST unless told otherwise. */
    readonly post: (path: string, body: unknown, sent?: Partial<Sent>) => Effect.Effect<Answer>
  }
>()("test/RestService") {
  static readonly layer = (variables: Readonly<Record<string, string>>) =>
    Layer.effect(
      RestService,
      Effect.gen(function* () {
        const database = variables.DATABASE_URL ?? (yield* migrated)
        const { sql, url } = yield* startService({ ...variables, DATABASE_URL: database })
        return RestService.of({
          url,
          sql,
          send: (sent) => send(url, sent),
          post: (path, body, sent) =>
            send(url, {
              method: "POST",
              path,
              body: JSON.stringify(body),
              ...sent,
              headers: { "content-type": "application/json", ...sent?.headers }
            })
        })
      })
    )
}

/** The two models that the original offered when it was recorded. */
export const recordedModels = {
  ANTHROPIC_API_KEY: "test-key",
  BYTEBOT_MODELS: JSON.stringify([
    { provider: "anthropic", name: "claude-opus-4-1-20250805", title: "Claude Opus 4.1", contextWindow: 200_000 },
    { provider: "anthropic", name: "claude-sonnet-4-20250514", title: "Claude Sonnet 4", contextWindow: 200_000 }
  ])
}
