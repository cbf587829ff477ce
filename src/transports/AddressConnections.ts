import { Context, Effect, Layer, type Scope } from "effect"
import { Settings } from "../config/Settings.ts"
import { TooManyOpen } from "../domain/LimitErrors.ts"

/**
 * Counts the open connections of each address in this process: Engine.IO connections, RPC sockets and streams, event streams.
 * BYTEBOT_SOCKETS_PER_ADDRESS is their limit.
 */
export class AddressConnections extends Context.Service<
  AddressConnections,
  {
    /** Whether the address (`limitKey`) has room for another one. */
    readonly hasRoom: (address: string) => boolean
    /** Counts one more; the returned function undoes it, once. */
    readonly add: (address: string) => () => void
    /** Counts one more until the scope closes, or fails where there is no room. */
    readonly open: (address: string) => Effect.Effect<void, TooManyOpen, Scope.Scope>
  }
>()("bytebot/AddressConnections") {
  static readonly layer = Layer.effect(
    AddressConnections,
    Effect.map(Settings, ({ socketsPerAddress }) => {
      const counts = new Map<string, number>()
      const hasRoom = (address: string) => (counts.get(address) ?? 0) < socketsPerAddress
      const add = (address: string) => {
        counts.set(address, (counts.get(address) ?? 0) + 1)
        let isOpen = true
        return () => {
          if (!isOpen) return
          isOpen = false
          const left = (counts.get(address) ?? 1) - 1
          if (left === 0) counts.delete(address)
          else counts.set(address, left)
        }
      }
      const refused = new TooManyOpen({ message: "This address has too many connections and streams open" })
      return AddressConnections.of({
        hasRoom,
        add,
        open: (address) =>
          Effect.asVoid(
            Effect.acquireRelease(
              Effect.suspend(() => (hasRoom(address) ? Effect.succeed(add(address)) : Effect.fail(refused))),
              (remove) => Effect.sync(remove)
            )
          )
      })
    })
  )
}
