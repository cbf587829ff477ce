import { randomBytes } from "node:crypto"
import { text } from "node:stream/consumers"
import { Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { adminRole, BetterAuth } from "../auth/BetterAuth.ts"
import { Settings } from "../config/Settings.ts"
import { awaitDatabase, commandLayer } from "../database/DatabaseConnection.ts"
import { findServerWithData } from "../database/DatabaseServer.ts"
import { logLayer, print } from "./Output.ts"

const readPassword = Effect.gen(function* () {
  const piped = process.stdin.isTTY ? "" : (yield* Effect.promise(() => text(process.stdin))).replace(/\r?\n$/, "")
  return piped === ""
    ? { password: randomBytes(18).toString("base64url"), isMade: true }
    : { password: piped, isMade: false }
})

interface NewAccount {
  readonly email: string
  readonly name: Option.Option<string>
  readonly admin: boolean
}

/** `user create`: the password comes from standard input where that is a pipe; else one is made and shown. */
export const createUser = Effect.fnUntraced(
  function* ({ admin, email, name }: NewAccount) {
    const settings = yield* Settings
    const { place, server } = yield* findServerWithData(settings)
    yield* awaitDatabase(server, settings)
    const { isMade, password } = yield* readPassword
    const accounts = BetterAuth.layer.pipe(
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
    yield* Effect.gen(function* () {
      const { register } = yield* BetterAuth
      const sql = yield* SqlClient.SqlClient
      const id = yield* register({ email, password, name: Option.getOrElse(name, () => email.replace(/@.*$/, "")) })
      if (admin) yield* sql`UPDATE "User" SET "role" = ${adminRole} WHERE "id" = ${id}`
    }).pipe(Effect.provide(accounts))
    yield* print(`${admin ? "Administrator" : "User"} ${email} was made in the database (${place})`)
    if (isMade) yield* print(`Password: ${password}`)
  },
  Effect.scoped,
  Effect.provide(Settings.layer),
  Effect.provide(logLayer)
)
