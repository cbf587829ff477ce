import { Effect, Schedule } from "effect"
import { Singleton } from "effect/cluster"
import { SqlClient } from "effect/sql"
import { untraced } from "../observability/TraceParent.ts"

const purgeInterval = "1 minute"

/**
 * Deletes the cluster's messages that were handled, and what came of them: its storage never deletes them. No sender waits for an answer to a
 * wake-up, and none is sent twice under one key, so they are not read again. Runs once in the cluster.
 */
export const layer = Singleton.make(
  "MessagePurge",
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      WITH handled AS (DELETE FROM cluster_messages WHERE processed RETURNING request_id)
      DELETE FROM cluster_replies USING handled WHERE cluster_replies.request_id = handled.request_id`.pipe(
      Effect.catchCause((cause) => Effect.logWarning("Handled messages of the cluster were not deleted", cause)),
      Effect.repeat(Schedule.spaced(purgeInterval)),
      untraced
    )
  })
)
