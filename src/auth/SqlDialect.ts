import { Effect, Exit, Schema, Scope } from "effect"
import { SqlClient, type SqlConnection } from "effect/sql"
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult
} from "kysely"
import { atMostOnce, orUnavailable, repeatable } from "../database/DatabaseRetry.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"
import { noteOutage } from "./Outages.ts"

/** Better Auth decodes the rows. */
const decodeResult = Schema.decodeUnknownSync(
  Schema.Struct({ rows: Schema.Array(Schema.Any), rowCount: Schema.Int, command: Schema.String })
)

/** Better Auth's statements (it builds them with Kysely) on the service's own connections, with its limits and its traces. */
export const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const promise = async <A>(effect: Effect.Effect<A, DatabaseUnavailable>): Promise<A> => {
    const result = await run(Effect.result(effect))
    if (result._tag === "Success") return result.success
    noteOutage(result.failure)
    throw result.failure
  }

  /** Uses the pool's connections; a transaction reserves one. */
  class Connection implements DatabaseConnection {
    private own: { readonly connection: SqlConnection.Connection; readonly scope: Scope.Closeable } | undefined

    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const { parameters, sql: text } = query
      const isRead = query.query.kind === "SelectQueryNode"
      const raw =
        this.own === undefined
          ? (isRead ? repeatable : atMostOnce)(sql.unsafe(text, parameters).raw)
          : orUnavailable(this.own.connection.executeRaw(text, parameters))
      const { command, rowCount, rows } = decodeResult(await promise(raw))
      return command === "SELECT" ? { rows: [...rows] } : { rows: [...rows], numAffectedRows: BigInt(rowCount) }
    }

    async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
      yield await this.executeQuery<R>(query)
    }

    async begin(): Promise<void> {
      const scope = Scope.makeUnsafe()
      this.own = { scope, connection: await promise(atMostOnce(Scope.provide(sql.reserve, scope))) }
      await this.executeQuery(CompiledQuery.raw("BEGIN"))
    }

    async end(command: "COMMIT" | "ROLLBACK"): Promise<void> {
      await this.executeQuery(CompiledQuery.raw(command))
    }

    async release(): Promise<void> {
      if (this.own !== undefined) await run(Scope.close(this.own.scope, Exit.void))
      this.own = undefined
    }
  }

  const own = (connection: DatabaseConnection): Connection => {
    if (connection instanceof Connection) return connection
    throw new TypeError("The connection is not this driver's")
  }
  const driver: Driver = {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(new Connection()),
    beginTransaction: (connection) => own(connection).begin(),
    commitTransaction: (connection) => own(connection).end("COMMIT"),
    rollbackTransaction: (connection) => own(connection).end("ROLLBACK"),
    releaseConnection: (connection) => own(connection).release(),
    destroy: () => Promise.resolve()
  }
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => driver,
    createIntrospector: (database) => new PostgresIntrospector(database),
    createQueryCompiler: () => new PostgresQueryCompiler()
  } satisfies Dialect
})
