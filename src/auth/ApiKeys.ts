import { createHash, randomBytes, randomUUID } from "node:crypto"
import { Context, DateTime, Duration, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { atMostOnce, repeatable } from "../database/DatabaseRetry.ts"
import { storableText } from "../database/StorableJson.ts"
import { apiKeyJson } from "../database/WireJson.ts"
import { ApiKeyNotFound } from "../domain/AccountErrors.ts"
import { ApiKey } from "../domain/ApiKey.ts"

/** Beginning of every key, by which people and secret scanners recognise one. */
export const keyPrefix = "bytebot_"

/** Characters of a key that are kept to recognise it by. */
const shownLength = keyPrefix.length + 6

/** Shortest time between two updates of a key's "lastUsedAt". */
const useNotedEvery = Duration.minutes(1)

/** Without `expiresAt` (UTC) a key is valid until it is revoked. */
interface NewKeyOptions {
  readonly name: string
  readonly expiresAt?: DateTime.Utc | undefined
}

/** The keys of users for machines. Only their SHA-256 is stored; a key has 256 random bits, so that it can't be found by trying. */
export class ApiKeys extends Context.Service<ApiKeys>()("bytebot/ApiKeys", {
  make: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const shown = sql.literal(`${apiKeyJson("k")} AS key`)

    return {
      create: Effect.fn("ApiKeys.create")(function* (userId: string, options: NewKeyOptions) {
        const key = `${keyPrefix}${randomBytes(32).toString("base64url")}`
        const expiresAt = options.expiresAt === undefined ? null : DateTime.toDateUtc(options.expiresAt)
        const rows = yield* sql`
          INSERT INTO "ApiKey" AS k ("id", "userId", "name", "start", "hash", "createdAt", "expiresAt")
          VALUES (${randomUUID()}, ${userId}, ${storableText(options.name)}, ${key.slice(0, shownLength)}, ${hashOf(key)},
            ${DateTime.toDateUtc(yield* DateTime.now)}, ${expiresAt})
          RETURNING ${shown}`
        const [made] = yield* decodeKeys(rows)
        return made === undefined ? yield* Effect.die(new Error("The key was not stored")) : { ...made.key, key }
      }, atMostOnce),

      /** The user's keys, oldest first. */
      list: Effect.fn("ApiKeys.list")(function* (userId: string) {
        const rows =
          yield* sql`SELECT ${shown} FROM "ApiKey" k WHERE k."userId" = ${userId} ORDER BY k."createdAt", k."id"`
        return (yield* decodeKeys(rows)).map(({ key }) => key)
      }, repeatable),

      /** Ends the key, and the connections that were opened with it. */
      revoke: Effect.fn("ApiKeys.revoke")(function* (userId: string, id: string) {
        const gone = yield* sql`DELETE FROM "ApiKey" WHERE "id" = ${id} AND "userId" = ${userId} RETURNING 1`
        if (gone.length === 0) return yield* new ApiKeyNotFound({ id })
      }, atMostOnce),

      /** The owner of a key; null for an invalid key. */
      find: Effect.fn("ApiKeys.find")(function* (key: string) {
        if (!key.startsWith(keyPrefix)) return null
        const now = yield* DateTime.now
        const at = DateTime.toDateUtc(now)
        const noted = DateTime.toDateUtc(DateTime.subtractDuration(now, useNotedEvery))
        const rows = yield* sql`
          WITH found AS (
            SELECT k."id", k."userId", u."role", k."lastUsedAt" FROM "ApiKey" k JOIN "User" u ON u."id" = k."userId"
            WHERE k."hash" = ${hashOf(key)} AND (k."expiresAt" IS NULL OR k."expiresAt" > ${at})
          ), used AS (
            UPDATE "ApiKey" SET "lastUsedAt" = ${at} FROM found
            WHERE "ApiKey"."id" = found."id" AND (found."lastUsedAt" IS NULL OR found."lastUsedAt" < ${noted})
          )
          SELECT "id", "userId", "role" FROM found`
        return rows[0] === undefined ? null : yield* decodeOwner(rows[0])
      }, repeatable)
    }
  })
}) {
  static readonly layer = Layer.effect(ApiKeys, ApiKeys.make)
}

const hashOf = (key: string): string => createHash("sha256").update(key).digest("hex")

const decodeKeys = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ key: ApiKey })))
const decodeOwner = Schema.decodeUnknownEffect(
  Schema.Struct({ id: Schema.String, userId: Schema.String, role: Schema.NullOr(Schema.String) })
)
