import { Context, Effect, Layer, type Scope } from "effect"
import type { SocketStatistics } from "../domain/Operations.ts"

type Sockets = SocketStatistics["websocket"]

/** Counts of open sockets. The gateway registers here, as the routes that show them are built before it. */
export class SocketStats extends Context.Service<
  SocketStats,
  {
    readonly current: Effect.Effect<Sockets>
    /** Takes the counts from `count` until the scope closes. */
    readonly register: (count: () => Sockets) => Effect.Effect<void, never, Scope.Scope>
  }
>()("bytebot/SocketStats") {
  static readonly layer = Layer.sync(SocketStats, () => {
    const none = (): Sockets => ({ total_connections: 0, total_rooms: 0, rooms: {} })
    let current = none
    return SocketStats.of({
      current: Effect.sync(() => current()),
      register: (count) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => {
              current = count
            }),
            () =>
              Effect.sync(() => {
                current = none
              })
          )
        )
    })
  })
}
