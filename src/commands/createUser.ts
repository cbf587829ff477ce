import { randomBytes } from "node:crypto"
import { text } from "node:stream/consumers"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { adminRole, BetterAuth } from "../auth/BetterAuth.ts"
import { Settings } from "../config/Settings.ts"
import { awaitDatabase, commandLayer } from "../database/DatabaseConnection.ts"
import { findServerWithData } from "../database/DatabaseServer.ts"
import { runCommand } from "../RunMain.ts"
import { readArguments, UsageInvalid } from "./Arguments.ts"
import { logLayer, say } from "./Output.ts"

/**
 * `npm run user:create -- --email ada@example.org [--name Ada] [--admin]` makes an account, also where BYTEBOT_SIGN_UP is false. The password is
 * read from standard input where that is a pipe; else one is made and shown.
 */

const usage = "npm run user:create -- --email ada@example.org [--name Ada] [--admin]"

const readPassword = Effect.gen(function* () {
  if (process.stdin.isTTY) return { password: randomBytes(18).toString("base64url"), isMade: true }
  const piped = (yield* Effect.promise(() => text(process.stdin))).replace(/\r?\n$/, "")
  return piped === ""
    ? { password: randomBytes(18).toString("base64url"), isMade: true }
    : { password: piped, isMade: false }
})

const program = Effect.gen(function* () {
  const { flags, texts, words } = yield* readArguments(usage, ["admin"], ["email", "name"])
  const email = texts.get("email")
  if (email === undefined || words.length > 0) {
    return yield* new UsageInvalid({ problem: "Say whose account it is.", usage })
  }
  const settings = yield* Settings
  const { place, server } = yield* findServerWithData(settings)
  yield* awaitDatabase(server, settings)
  const { isMade, password } = yield* readPassword
  yield* Effect.gen(function* () {
    const { register } = yield* BetterAuth
    const sql = yield* SqlClient.SqlClient
    const id = yield* register({ email, password, name: texts.get("name") ?? email.replace(/@.*$/, "") })
    if (flags.has("admin")) yield* sql`UPDATE "User" SET "role" = ${adminRole} WHERE "id" = ${id}`
  }).pipe(
    Effect.provide(
      BetterAuth.layer.pipe(
        Layer.provideMerge(commandLayer(server, settings)),
        Layer.provide(
          Layer.succeed(Settings, {
            ...settings,
            signUp: true,
            // No session is used here, so that it does not matter what signs it.
            betterAuthSecret: Option.orElseSome(settings.betterAuthSecret, () =>
              Redacted.make(randomBytes(32).toString("hex"))
            )
          })
        )
      )
    )
  )
  yield* say(`${flags.has("admin") ? "Administrator" : "User"} ${email} was made in the database (${place})`)
  if (isMade) yield* say(`Password: ${password}`)
})

runCommand(program.pipe(Effect.scoped, Effect.provide(Layer.mergeAll(Settings.layer, NodeServices.layer, logLayer))))
