import { randomUUID } from "node:crypto"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlClient } from "effect/sql"
import { inject } from "vitest"
import { defaultValues } from "../../src/config/SettingsTable.ts"
import { poolLayer } from "../../src/database/DatabaseConnection.ts"
import { parsePostgresUrl } from "../../src/database/PostgresUrl.ts"

const adminUrl = () => inject("databaseAdminUrl")

/** URL of another database on the tests' server. */
export const urlOf = (database: string): string => {
  const url = new URL(adminUrl())
  url.pathname = `/${database}`
  return url.href
}

/** A connection to the tests' server that may create and drop databases and roles. */
export const admin = Effect.suspend(() => PgClient.make({ url: Redacted.make(adminUrl()), maxConnections: 1 })).pipe(
  Effect.orDie,
  Effect.provide(Reactivity.layer)
)

/** A name that no other test has. */
export const uniqueName = (): string => `bytebot_test_${randomUUID().replaceAll("-", "")}`

/** Drops the database, connected or not, when the scope closes. */
export const dropAtEnd = (database: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.addFinalizer(() =>
    Effect.gen(function* () {
      const sql = yield* admin
      yield* sql`DROP DATABASE IF EXISTS ${sql(database)} WITH (FORCE)`
    }).pipe(Effect.scoped, Effect.orDie)
  )

const create = Effect.fnUntraced(function* (template: string) {
  const database = uniqueName()
  yield* dropAtEnd(database)
  yield* Effect.gen(function* () {
    const sql = yield* admin
    yield* sql`CREATE DATABASE ${sql(database)} TEMPLATE ${sql(template)}`
  }).pipe(Effect.scoped, Effect.orDie)
  return urlOf(database)
})

/** A database of its own with the service's schema and no rows, dropped when the scope closes; its postgresql:// URL. */
export const migrated: Effect.Effect<string, never, Scope.Scope> = Effect.suspend(() =>
  create(inject("databaseTemplate"))
)

/** The same without any tables. */
export const empty: Effect.Effect<string, never, Scope.Scope> = create("template0")

/** The service's client of the database with this URL. */
export const clientLayer = (url: string): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient> =>
  Layer.unwrap(
    Effect.map(Effect.orDie(parsePostgresUrl(Redacted.make(url))), (server) => poolLayer(server, defaultValues))
  )

/** The suite's database. */
export class TestDatabase extends Context.Service<TestDatabase, { readonly url: string }>()("test/TestDatabase") {
  /** A migrated database for all tests of the layer, and nothing else: for suites that start a service on its URL. */
  static readonly layer: Layer.Layer<TestDatabase> = Layer.effect(
    TestDatabase,
    Effect.map(migrated, (url) => ({ url }))
  )

  /** The same with a client of it: for suites that use SqlClient themselves. */
  static readonly withClient: Layer.Layer<TestDatabase | PgClient.PgClient | SqlClient.SqlClient> = Layer.unwrap(
    Effect.map(TestDatabase, ({ url }) => clientLayer(url))
  ).pipe(Layer.provideMerge(TestDatabase.layer))
}
