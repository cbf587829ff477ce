import { mkdtemp, rm, statfs } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Effect, Exit, Redacted, Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import type { TestProject } from "vitest/node"
import * as EmbeddedPostgres from "../../src/database/EmbeddedPostgres.ts"
import { migrate } from "../../src/database/Migrator.ts"
import { bundled } from "./Programs.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** URL of a database of the tests' server, with a login that may create and drop databases. */
    readonly databaseAdminUrl: string
    /** Name of a database with the service's schema and no rows, to be copied. */
    readonly databaseTemplate: string
  }
}

/** Losing the data with the power is fine here, and twice as fast. */
const carefree = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }
/** For the replicas of test/crash, side by side with all the rest. */
const settings = { ...carefree, max_connections: "300" }

const privateServer = Effect.gen(function* () {
  const dataDir = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-test-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  )
  return Redacted.value((yield* EmbeddedPostgres.make({ dataDir, database: "postgres", settings })).url)
})

/** In a session of its own: a pool that is closing opens no new connection, and the one it had may be gone after a long run. */
const administer = (adminUrl: string, statement: string) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make({ url: Redacted.make(adminUrl) }), (session) => session.query(statement))
  )

const prepare = Effect.gen(function* () {
  yield* bundled
  const given = process.env.TEST_DATABASE_URL
  const adminUrl = given === undefined || given === "" ? yield* privateServer : given
  const template = `bytebot_template_${process.pid}_${Date.now()}`
  yield* Effect.acquireRelease(administer(adminUrl, `CREATE DATABASE "${template}"`), () =>
    Effect.orDie(administer(adminUrl, `DROP DATABASE "${template}" WITH (FORCE)`))
  )
  const url = new URL(adminUrl)
  url.pathname = `/${template}`
  yield* Effect.provide(
    migrate,
    PgClient.layer({ url: Redacted.make(url.href), maxConnections: 1, startupParameters: { timezone: "UTC" } })
  )
  return { adminUrl, template }
})

/**
 * Has the tests write their files to memory, where Linux offers enough of it: a new database takes a tenth of the time there, and they
 * make hundreds. A TMPDIR that was given stays.
 */
const useMemory = async () => {
  if (process.env.TMPDIR !== undefined) return
  const folder = "/dev/shm"
  const gigabytes = await statfs(folder).then(
    ({ bavail, bsize }) => (bavail * bsize) / 2 ** 30,
    () => 0
  )
  if (gigabytes >= 4) process.env.TMPDIR = folder
}

/** One PostgreSQL server for the whole run: TEST_DATABASE_URL, or a private one in a temporary folder. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await useMemory()
  const scope = Scope.makeUnsafe()
  const { adminUrl, template } = await Effect.runPromise(
    prepare.pipe(Scope.provide(scope), Effect.provide(Reactivity.layer))
  )
  project.provide("databaseAdminUrl", adminUrl)
  project.provide("databaseTemplate", template)
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
