import { NodeCrypto } from "@effect/platform-node"
import { Duration, Effect, Layer, Option } from "effect"
import { RunnerAddress, SingleRunner } from "effect/cluster"
import { Settings } from "../config/Settings.ts"

/**
 * The cluster of one process. Its shard locks live in PostgreSQL all the same: a second service on the same database
 * gets no shard and stands by, until this one is gone.
 */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { shutdownTimeout } = yield* Settings
    return SingleRunner.layer({
      runnerStorage: "sql",
      shardingConfig: {
        // One address for all: the shards of a process that was killed are at once those of the next one. It is the connection to
        // PostgreSQL that holds their locks, not the name: a second service can't take them, and a corpse holds nothing.
        runnerAddress: Option.some(RunnerAddress.make("process", 1)),
        // One desktop has one entity; few shards make few locks.
        shardsPerGroup: 16,
        entityMessagePollInterval: Duration.seconds(1),
        refreshAssignmentsInterval: Duration.seconds(1),
        shardLockRefreshInterval: Duration.seconds(2),
        shardLockExpiration: Duration.seconds(6),
        entityTerminationTimeout: shutdownTimeout,
        simulateRemoteSerialization: false
      }
    }).pipe(Layer.provide(NodeCrypto.layerDigest))
  })
)
