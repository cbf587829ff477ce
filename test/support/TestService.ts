import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import { SqlClient } from "effect/sql"
import { Settings } from "../../src/config/Settings.ts"
import * as Service from "../../src/Service.ts"

/** The real service on a free port, with a private PostgreSQL of its own, until the scope closes. */
export const startService = Effect.fnUntraced(function* (variables: Readonly<Record<string, string>>) {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-test-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const context = yield* Layer.build(
    Service.layer.pipe(
      Layer.provide(
        Settings.layerFrom({
          HOST: "127.0.0.1",
          PORT: "0",
          LOG_LEVEL: "error",
          BYTEBOT_DATA_DIR: folder,
          BYTEBOT_SETTLE_DELAY: "1",
          ...variables
        })
      )
    )
  )
  const { address } = Context.get(context, HttpServer.HttpServer)
  return { url: HttpServer.formatAddress(address), sql: Context.get(context, SqlClient.SqlClient) }
})
