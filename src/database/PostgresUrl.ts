import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Redacted, Result } from "effect"
import { DatabaseUrlInvalid } from "./DatabaseErrors.ts"

/** DATABASE_URL, taken apart as far as the service needs it. */
export interface PostgresUrl {
  /** What the driver gets. */
  readonly url: Redacted.Redacted<string>
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** For people: host, port and database, no password. */
  readonly description: string
  /** Prisma's `?schema=`: the schema of the tables; undefined: the role's search_path. */
  readonly schema: string | undefined
  /** TLS options that the driver does not read from the URL. */
  readonly ssl: { readonly rejectUnauthorized?: boolean; readonly ca?: string } | undefined
  /** The same server and login, another database. */
  readonly withDatabase: (database: string) => Redacted.Redacted<string>
}

/**
 * Reads a URL as libpq does (PostgreSQL's documentation, 32.1.1.2): parameters win over the authority. Beyond what the driver knows,
 * `sslrootcert` names a file with certificate authorities, and `sslmode=no-verify`, as in node-postgres, encrypts without verifying.
 */
export const parsePostgresUrl = Effect.fn("PostgresUrl.parse")(function* (
  redacted: Redacted.Redacted
): Effect.fn.Return<PostgresUrl, DatabaseUrlInvalid, FileSystem.FileSystem> {
  const url = yield* Effect.fromResult(parseUrl(Redacted.value(redacted)))
  const { searchParams } = url
  const decode = (text: string) => Effect.fromResult(decodeComponent(text))
  const user = searchParams.get("user") ?? (yield* decode(url.username)) ?? ""
  const database = searchParams.get("dbname") ?? (yield* decode(url.pathname.slice(1)))
  const host = searchParams.get("host") ?? url.hostname
  const port = Number(searchParams.get("port") ?? (url.port === "" ? 5432 : url.port))
  const rootCertificate = searchParams.get("sslrootcert")
  const verify = searchParams.get("sslmode") !== "no-verify"
  if (!verify) searchParams.set("sslmode", "require")
  const ca = rootCertificate === null ? undefined : yield* readCertificate(rootCertificate)
  return {
    url: Redacted.make(url.href),
    host: host === "" ? "localhost" : host,
    port,
    user,
    database: database === "" ? user : database,
    description: `${host === "" ? "localhost" : host}:${port}/${database === "" ? user : database}`,
    schema: searchParams.get("schema") ?? undefined,
    ssl:
      searchParams.get("sslmode") === "disable" || (verify && ca === undefined)
        ? undefined
        : { rejectUnauthorized: verify, ...(ca === undefined ? {} : { ca }) },
    withDatabase: (name) => {
      const other = new URL(url)
      other.searchParams.delete("dbname")
      other.pathname = `/${encodeURIComponent(name)}`
      return Redacted.make(other.href)
    }
  }
}, Effect.provide(NodeFileSystem.layer))

/**
 * A URL as libpq's programs (psql, pg_dump, pg_restore) take it, with the same meaning as here: they know no `schema` and no
 * `no-verify`, and their `require` does not verify certificates. `sslrootcert=system` needs libpq 16.
 */
export const libpqUrl = (text: string): string => {
  const url = new URL(text)
  const { searchParams } = url
  searchParams.delete("schema")
  const mode = searchParams.get("sslmode")
  if (mode === "no-verify") searchParams.set("sslmode", "require")
  if (mode === "require") searchParams.set("sslmode", "verify-full")
  if (searchParams.get("sslmode") === "verify-full" && !searchParams.has("sslrootcert")) {
    searchParams.set("sslrootcert", "system")
  }
  return url.href
}

const parseUrl = (text: string) =>
  Result.try({
    try: () => new URL(text),
    // Node's message quotes the URL, and with it the password.
    catch: () => new DatabaseUrlInvalid({ problem: "it is not a URL" })
  })

const decodeComponent = (text: string) =>
  Result.try({
    try: () => decodeURIComponent(text),
    catch: () => new DatabaseUrlInvalid({ problem: "a % in it is not followed by two hexadecimal digits" })
  })

const readCertificate = (file: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(file)).pipe(
    Effect.mapError(() => new DatabaseUrlInvalid({ problem: `the file ${file} in its sslrootcert cannot be read` }))
  )
