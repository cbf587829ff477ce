import { createHash, randomBytes, randomUUID } from "node:crypto"
import { Context, DateTime, Duration, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { atMostOnce, repeatable } from "../database/DatabaseRetry.ts"
import { storableText } from "../database/StorableJson.ts"
import { apiKeyJson } from "../database/WireJson.ts"
import { ApiKeyNotFound } from "../domain/AccountErrors.ts"
import { ApiKey, type NewApiKey } from "../domain/ApiKey.ts"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"

/** How every key begins, so that people and scanners for leaked secrets know one when they see it. */
export const keyPrefix = "bytebot_"

/** How much of a key is kept to be recognised by, in characters. */
const shownLength = keyPrefix.length + 6

/** The use of a key is written down at most so often. */
const useNotedEvery = Duration.minutes(1)

/** The keys of users for machines. Only their SHA-256 is stored: a key has 256 random bits, so that nobody finds it from that. */
export class ApiKeys extends Context.Service<
  ApiKeys,
  {
    /** A new key; without `expiresAt` (UTC) it is valid until it is revoked. */
    readonly create: (
      userId: string,
      options: { readonly name: string; readonly expiresAt?: DateTime.Utc | undefined }
    ) => Effect.Effect<NewApiKey, DatabaseUnavailable>
    /** The user's keys, oldest first. */
    readonly list: (userId: string) => Effect.Effect<ReadonlyArray<ApiKey>, DatabaseUnavailable>
    /** Ends the key, and what was opened with it. */
    readonly revoke: (userId: string, id: string) => Effect.Effect<void, ApiKeyNotFound | DatabaseUnavailable>
    /** Whose the key is; null for what is no valid key. */
    readonly find: (
      key: string
    ) => Effect.Effect<
      { readonly id: string; readonly userId: string; readonly role: string | null } | null,
      DatabaseUnavailable
    >
  }
>()("bytebot/ApiKeys") {
  static readonly layer = Layer.effect(
    ApiKeys,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const shown = sql.literal(`${apiKeyJson("k")} AS key`)

      const create = Effect.fn("ApiKeys.create")(function* (
        userId: string,
        options: { readonly name: string; readonly expiresAt?: DateTime.Utc | undefined }
      ) {
        const key = `${keyPrefix}${randomBytes(32).toString("base64url")}`
        const expiresAt = options.expiresAt === undefined ? null : DateTime.toDateUtc(options.expiresAt)
        const rows = yield* sql`
          INSERT INTO "ApiKey" AS k ("id", "userId", "name", "start", "hash", "createdAt", "expiresAt")
          VALUES (${randomUUID()}, ${userId}, ${storableText(options.name)}, ${key.slice(0, shownLength)}, ${hashOf(key)},
            ${DateTime.toDateUtc(yield* DateTime.now)}, ${expiresAt})
          RETURNING ${shown}`
        const [made] = yield* decodeKeys(rows)
        return made === undefined ? yield* Effect.die(new Error("The key was not stored")) : { ...made.key, key }
      }, atMostOnce)

      const list = Effect.fn("ApiKeys.list")(function* (userId: string) {
        const rows =
          yield* sql`SELECT ${shown} FROM "ApiKey" k WHERE k."userId" = ${userId} ORDER BY k."createdAt", k."id"`
        return (yield* decodeKeys(rows)).map(({ key }) => key)
      }, repeatable)

      const revoke = Effect.fn("ApiKeys.revoke")(function* (userId: string, id: string) {
        const gone = yield* sql`DELETE FROM "ApiKey" WHERE "id" = ${id} AND "userId" = ${userId} RETURNING 1`
        if (gone.length === 0) return yield* new ApiKeyNotFound({ id })
      }, atMostOnce)

      const find = Effect.fn("ApiKeys.find")(function* (key: string) {
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

      return ApiKeys.of({ create, list, revoke, find })
    })
  )
}

const hashOf = (key: string): string => createHash("sha256").update(key).digest("hex")

const decodeKeys = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ key: ApiKey })))
const decodeOwner = Schema.decodeUnknownEffect(
  Schema.Struct({ id: Schema.String, userId: Schema.String, role: Schema.NullOr(Schema.String) })
)
