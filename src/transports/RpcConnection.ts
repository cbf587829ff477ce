import type { Duplex } from "node:stream"
import { Context, Effect, Layer, Semaphore } from "effect"
import type { Headers } from "effect/http"
import { Socket } from "effect/socket"
import { TooManyOpen } from "../domain/LimitErrors.ts"
import { AddressConnections } from "./AddressConnections.ts"
import { maxBodyBytes } from "./http/BodyBytes.ts"
import { refuseFrame, UnfinishedFrames } from "./UnfinishedFrames.ts"

/** Bytes of the largest frame of a caller who is not known yet. Known ones may send what REST takes as a body. */
const largestUnknownFrame = 1024 * 1024

/** Most calls of a connection that are not answered, most event streams on it, and most calls that it has worked on at once. */
const most = { calls: 1_000, streams: 100, running: 8 }

/** Bytes that may wait for a client to read them before its next answer does. */
const highWaterMark = 1024 * 1024

/** Bytes that may wait for all clients that are behind; then the one that has been for the longest time is cut off. */
const backlogBudget = 128 * 1024 * 1024

/** How long a client that is behind may take nothing. */
const stalledFor = "20 seconds"

/** One socket at `/rpc`, as its calls see it. */
export interface RpcConnection {
  /** Of the handshake. */
  readonly headers: Headers.Headers
  /** What limits count its address as. */
  readonly address: string
  /** A call has shown whose connection it is: larger frames are taken. */
  readonly identified: () => void
  /** Runs a call when the connection has room for it. */
  readonly limited: <A, E, R>(isStream: boolean, call: Effect.Effect<A, E, R>) => Effect.Effect<A, E | TooManyOpen, R>
}

/** The connection whose call is running. */
export const CurrentConnection = Context.Reference<RpcConnection | undefined>("bytebot/CurrentConnection", {
  defaultValue: () => undefined
})

/** Bounds what one RPC connection, and all of them together, may keep in memory. */
export class RpcConnections extends Context.Service<
  RpcConnections,
  {
    /** The connection on the raw socket, and the WebSocket on it with its limits. */
    readonly guard: (options: {
      readonly raw: Duplex
      readonly socket: Socket.Socket
      readonly headers: Headers.Headers
      readonly address: string
    }) => { readonly connection: RpcConnection; readonly socket: Socket.Socket }
  }
>()("bytebot/RpcConnections") {
  static readonly layer = Layer.effect(
    RpcConnections,
    Effect.gen(function* () {
      const addresses = yield* AddressConnections
      const frames = yield* UnfinishedFrames
      /** Sockets above the high-water mark, the one that went above it first at the beginning. */
      const behind = new Set<Duplex>()

      /** Waits until the client has read most of what was sent. */
      const untilRead = (raw: Duplex) =>
        Effect.callback<void>((resume) => {
          const done = () => resume(Effect.void)
          raw.once("drain", done).once("close", done)
          return Effect.sync(() => raw.off("drain", done).off("close", done))
        }).pipe(
          Effect.timeoutOrElse({ duration: stalledFor, orElse: () => Effect.sync(() => raw.destroy()) }),
          Effect.asVoid
        )
      const isBehind = (raw: Duplex) => raw.writableLength > highWaterMark && !raw.destroyed
      const room = (raw: Duplex) => Effect.suspend(() => (isBehind(raw) ? untilRead(raw) : Effect.void))

      const noteBacklog = (raw: Duplex): void => {
        if (!isBehind(raw)) return
        behind.add(raw)
        let total = 0
        for (const other of behind) {
          if (isBehind(other)) total += other.writableLength
          else behind.delete(other)
        }
        for (const longest of behind) {
          if (total <= backlogBudget) return
          if (longest === raw) continue
          total -= longest.writableLength
          behind.delete(longest)
          longest.destroy()
        }
      }

      const limits = (raw: Duplex, address: string): RpcConnection["limited"] => {
        const running = Semaphore.makeUnsafe(most.running)
        const open = { calls: 0, streams: 0 }
        return (isStream, call) => {
          const kind = isStream ? "streams" : "calls"
          const within = isStream
            ? Effect.scoped(Effect.andThen(addresses.open(address), call))
            : running.withPermit(Effect.andThen(room(raw), call))
          return Effect.suspend(() => {
            if (open[kind] >= most[kind]) {
              const message = `This connection has ${most[kind]} ${kind} open already`
              return Effect.fail(new TooManyOpen({ message }))
            }
            open[kind] += 1
            return Effect.ensuring(
              within,
              Effect.sync(() => {
                open[kind] -= 1
              })
            )
          })
        }
      }

      return RpcConnections.of({
        guard: ({ address, headers, raw, socket }) => {
          const arriving = frames.watch(raw, largestUnknownFrame, () => refuseFrame(raw))
          raw.once("close", () => behind.delete(raw))
          const reader = Effect.map(socket.reader, ({ pull, upgrade }) => ({
            pull: Effect.tap(pull, () => Effect.sync(() => arriving.finished())),
            upgrade
          }))
          const writer = Effect.map(socket.writer, ({ write, writeAll }) => {
            const after = <A, E>(sending: Effect.Effect<A, E>) =>
              Effect.andThen(
                room(raw),
                Effect.tap(sending, () => Effect.sync(() => noteBacklog(raw)))
              )
            return {
              write: (chunk: Parameters<typeof write>[0]) => after(write(chunk)),
              writeAll: (chunks: Parameters<typeof writeAll>[0]) => after(writeAll(chunks))
            }
          })
          return {
            connection: {
              headers,
              address,
              identified: () => arriving.allow(maxBodyBytes),
              limited: limits(raw, address)
            },
            socket: Socket.make({ reader, writer })
          }
        }
      })
    })
  )
}
