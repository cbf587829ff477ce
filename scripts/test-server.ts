import { spawn } from "node:child_process"
import { NodeRuntime } from "@effect/platform-node"
import { PgConnection } from "@effect/sql-pg"
import { Data, Effect, Redacted } from "effect"
import { wordsOf } from "../src/database/SqlFailure.ts"

/**
 * Runs the tests of everything that speaks SQL on a PostgreSQL server of one's own, which may be of another major version than the private
 * one: TEST_DATABASE_URL, or in CI the machine's own. Without one they are left out, unless one was asked for.
 */

/** Of the agent's tests, those that are about its rows: the others differ in what the models say. */
const agent = ["context", "control", "interruption", "restart", "usage"].map((name) => `test/agent/${name}.test.ts`)
const tests = [
  "test/database",
  "test/events",
  "test/health",
  "test/rest",
  "test/socket",
  "test/cli/database.test.ts",
  ...agent
]
/** These have servers of their own. */
const apart = "test/database/Embedded*.test.ts"

/** Names under which servers let one in who comes from the same machine. */
const usualUsers = ["postgres", "root"]

class TestServerUnusable extends Data.TaggedError("TestServerUnusable")<{ readonly message: string }> {}
class TestsFailed extends Data.TaggedError("TestsFailed") {}

const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

const shown = (url: URL) => `${url.username === "" ? "" : `${decodeURIComponent(url.username)}@`}${url.host}`

/** Why the login is of no use to the tests; undefined: it can be used. */
const objection = (url: URL) =>
  Effect.gen(function* () {
    const session = yield* PgConnection.make({ url: Redacted.make(url.href), connectTimeout: "5 seconds" })
    const { rows } = yield* session.query(
      "SELECT rolsuper OR (rolcreatedb AND rolcreaterole) AS able FROM pg_roles WHERE rolname = current_user"
    )
    return rows[0]?.able === true ? undefined : `${shown(url)}: may not create databases and roles`
  }).pipe(
    Effect.scoped,
    Effect.catchTag("SqlError", (error) => Effect.succeed(`${shown(url)}: ${wordsOf(error)}`))
  )

const findLogin = Effect.fnUntraced(function* (given: string) {
  if (!URL.canParse(given)) return yield* new TestServerUnusable({ message: "TEST_DATABASE_URL is not a URL" })
  const base = new URL(given)
  if (base.pathname === "" || base.pathname === "/") base.pathname = "/postgres"
  const logins = [base.username, ...usualUsers.filter((name) => name !== base.username)].map((name) => {
    const url = new URL(base)
    if (name !== base.username) url.password = ""
    url.username = name
    return url
  })
  const objections: Array<string> = []
  for (const url of logins.filter(({ username }) => username !== "")) {
    const problem = yield* objection(url)
    if (problem === undefined) return url
    objections.push(problem)
  }
  return yield* new TestServerUnusable({ message: objections.join("; ") })
})

const runTests = (url: URL) =>
  Effect.callback<void, TestsFailed>((resume) => {
    const child = spawn("vitest", ["run", ...tests, "--exclude", apart, ...process.argv.slice(2)], {
      stdio: "inherit",
      env: { ...process.env, TEST_DATABASE_URL: url.href }
    })
    child.once("error", (error) => resume(Effect.die(error)))
    child.once("exit", (code) => resume(code === 0 ? Effect.void : Effect.fail(new TestsFailed())))
  })

const program = Effect.gen(function* () {
  const given = process.env.TEST_DATABASE_URL ?? ""
  const isCi = !["", "false"].includes(process.env.CI ?? "")
  if (given === "" && !isCi) {
    return yield* say("Tests on a server of one's own are left out: TEST_DATABASE_URL names none.")
  }
  const url = yield* findLogin(given === "" ? "postgresql://127.0.0.1:5432" : given)
  yield* say(`Tests on the server ${shown(url)}`)
  return yield* runTests(url)
}).pipe(
  Effect.catchTag("TestServerUnusable", (error) =>
    (process.env.TEST_DATABASE_URL ?? "") === ""
      ? say(`Tests on a server of one's own are left out: ${error.message}`)
      : Effect.andThen(say(`TEST_DATABASE_URL cannot be used. ${error.message}`), Effect.fail(error))
  )
)

NodeRuntime.runMain(program, { disableErrorReporting: true })
