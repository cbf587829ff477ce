import { isIP } from "node:net"
import { networkInterfaces } from "node:os"
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { Duration, Effect, Layer, Option, Schema } from "effect"
import { RunnerAddress, RunnerHealth, Runners, Sharding, ShardingConfig, SqlMessageStorage } from "effect/cluster"
import { Settings } from "../config/Settings.ts"
import { quietWhileStopping } from "./ClusterLogs.ts"
import * as LockStorage from "./LockStorage.ts"

/** The replica can't listen where the others are to reach it. */
export class ClusterPortUnusable extends Schema.TaggedError<ClusterPortUnusable>()("ClusterPortUnusable", {
  address: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `Cannot listen on ${this.address} for the other replicas (CLUSTER_HOST, CLUSTER_PORT): ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/**
 * How a replica that is gone is noticed. Its locks are those of a session on PostgreSQL: they end with its connection, or, where the
 * connection is there but silent (a frozen process, a cut network), after `shardLockExpiration`, which PostgreSQL sees to.
 */
const timing = {
  /** Bounds the failover of a replica that hangs; three refreshes may be late. */
  shardLockExpiration: Duration.seconds(6),
  /** Also the time after which a replica that lost the database stops its work. */
  shardLockRefreshInterval: Duration.seconds(2),
  /** Bounds the failover of a replica that was killed: the others find that its port is closed. */
  runnerHealthCheckInterval: Duration.seconds(1),
  /** How soon it is known who is there. */
  refreshAssignmentsInterval: Duration.seconds(1),
  /** How soon a message is found that was stored but not announced. */
  entityMessagePollInterval: Duration.seconds(1)
} satisfies Partial<ShardingConfig.ShardingConfig["Service"]>

/** As long as it takes, at most, until a worker that was replaced is told so and ends. */
export const replacedWithin = timing.shardLockExpiration

/** The first address of this machine under which others can reach it; the loopback's where there is none. */
const ownAddress = (): string =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1"

/** A name may not be known yet, or be that of a load balancer; then all addresses of this machine are listened on. */
const listenAddress = ({ host, port }: RunnerAddress.RunnerAddress) =>
  RunnerAddress.make(isIP(host) === 0 ? "0.0.0.0" : host, port)

/**
 * Decides which process drives which desktop. `CLUSTER=true`: replicas find each other through PostgreSQL and talk over a port of their
 * own. Otherwise one process drives them all; its locks live in PostgreSQL all the same: a second service on the same
 * database stands by until this one is gone.
 */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { clusterEnabled, clusterHost, clusterPort, shutdownTimeout } = yield* Settings
    const shared = {
      ...timing,
      // Equal in all replicas. Many more than replicas, so that each gets about as many desktops as the others.
      shardsPerGroup: 256,
      entityTerminationTimeout: shutdownTimeout,
      simulateRemoteSerialization: false
    }
    if (!clusterEnabled) {
      // As `SingleRunner.layer`, which has no other lock storage than Effect's.
      return Sharding.layer.pipe(
        Layer.provideMerge(Runners.layerNoop),
        Layer.provideMerge(SqlMessageStorage.layer),
        Layer.provide([LockStorage.layer, RunnerHealth.layerNoop]),
        // One address for all: the shards of a process that was killed are at once those of the next one. It is the connection to
        // PostgreSQL that holds their locks, not the name: a second service can't take them, and a corpse holds nothing.
        Layer.provide(
          ShardingConfig.layerFromEnv({ ...shared, runnerAddress: Option.some(RunnerAddress.make("process", 1)) })
        ),
        Layer.provide(NodeCrypto.layerDigest)
      )
    }
    const address = RunnerAddress.make(Option.getOrElse(clusterHost, ownAddress), clusterPort)
    const listen = listenAddress(address)
    const shardingConfig = {
      ...shared,
      runnerAddress: Option.some(address),
      runnerListenAddress: Option.some(listen)
    }
    const storage = Layer.mergeAll(SqlMessageStorage.layer, LockStorage.layer).pipe(
      Layer.provide([ShardingConfig.layerFromEnv(shardingConfig), NodeCrypto.layerDigest])
    )
    const replica = NodeClusterSocket.layer({ storage: "byo", runnerHealth: "ping", shardingConfig }).pipe(
      Layer.provideMerge(storage)
    )
    return Layer.effectContext(
      Effect.mapError(Layer.build(replica), (error) =>
        error._tag === "SocketServerError"
          ? new ClusterPortUnusable({ address: `${listen.host}:${listen.port}`, cause: error.reason.cause })
          : error
      )
    )
  })
).pipe(Layer.provide(quietWhileStopping))
