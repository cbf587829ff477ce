import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { runProgram } from "../support/Command.ts"
import { clientLayer, migrated } from "../support/TestDatabase.ts"
import { startService } from "../support/TestService.ts"

it.live(
  "the command line makes an administrator, with a password that is shown once",
  () =>
    Effect.gen(function* () {
      const url = yield* migrated
      const run = (...args: ReadonlyArray<string>) =>
        runProgram("cli/main", ["user", "create", ...args], { DATABASE_URL: url, BYTEBOT_SIGN_UP: "false" })
      const made = yield* run("--email", "root@example.org", "--admin")
      assert.strictEqual(made.code, 0, made.stderr)
      const password = /Password: (\S+)/.exec(made.stdout)?.[1] ?? ""
      assert.isAbove(password.length, 15)
      const rows = yield* Effect.provide(
        Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT "email", "name", "role" FROM "User"`),
        clientLayer(url)
      )
      assert.deepStrictEqual(rows, [{ email: "root@example.org", name: "root", role: "admin" }])

      const again = yield* run("--email", "root@example.org")
      assert.strictEqual(again.code, 1)
      assert.match(again.stderr, /already exists/)
      assert.strictEqual((yield* run()).code, 2)
      assert.match((yield* run("--email", "nobody")).stderr, /email/i)

      const service = yield* startService({
        DATABASE_URL: url,
        AUTH_ENABLED: "true",
        BETTER_AUTH_SECRET: "another-secret-of-the-tests-0123456789"
      })
      const answer = yield* Effect.promise(() =>
        fetch(`${service.url}/api/auth/sign-in/email`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ email: "root@example.org", password })
        })
      )
      assert.strictEqual(answer.status, 200)
    }).pipe(Effect.scoped),
  60_000
)
