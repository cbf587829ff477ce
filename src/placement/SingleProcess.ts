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
        // An address per process start: a restarted process must not keep the locks of its own corpse alive (stack.md).
        runnerAddress: Option.some(RunnerAddress.make(`process-${process.pid}-${Date.now()}`, 1)),
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
