import { Effect, Layer, Semaphore } from "effect"
import { RunnerStorage, type ShardingConfig, SqlRunnerStorage } from "effect/cluster"
import type { SqlClient } from "effect/sql"

/**
 * The replicas and their locks, in PostgreSQL. Hundreds of locks are given up at a time: to a replica that joins, by a process that ends, and
 * where locks were taken while the database came and went.
 * Effect's storage (4.1.0) releases them all at once on one connection, each within the same two seconds; where there is no time for all,
 * it gives the connection up, all locks with it, and begins again without end. One after the other, each has two seconds.
 */
export const layer: Layer.Layer<
  RunnerStorage.RunnerStorage,
  never,
  SqlClient.SqlClient | ShardingConfig.ShardingConfig
> = Layer.effect(
  RunnerStorage.RunnerStorage,
  Effect.map(RunnerStorage.RunnerStorage, (storage) => {
    const oneByOne = Semaphore.makeUnsafe(1)
    return RunnerStorage.RunnerStorage.of({
      ...storage,
      release: (address, shardId) => oneByOne.withPermit(storage.release(address, shardId))
    })
  })
).pipe(Layer.provide(Layer.orDie(SqlRunnerStorage.layer)))
