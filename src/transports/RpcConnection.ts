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

/**
 * Most calls of a connection that are not answered, most event streams on it, most calls that it has worked on at once, and most calls of all
 * connections that are: each may make an answer of many megabytes.
 */
const most = { calls: 1_000, streams: 100, running: 8, runningInAll: 16 }

/** Bytes that may wait for a client to read them before its next answer does. */
const highWaterMark = 64 * 1024

/** Bytes that may wait for all clients that are behind; then the one that has been for the longest time is cut off. */
const backlogBudget = 32 * 1024 * 1024

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

/** What goes out on a connection. */
interface Output {
  readonly raw: Duplex
  /** Bytes of answers that are made and wait for room. */
  waiting: number
  /** Effect's socket never frees what is written from then on. */
  isOver: boolean
}

const isBehind = (raw: Duplex): boolean => raw.writableLength > highWaterMark && !raw.destroyed

const backlogOf = ({ raw, waiting }: Output): number => raw.writableLength + waiting

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
      const runningInAll = Semaphore.makeUnsafe(most.runningInAll)
      /** Outputs above the high-water mark, the one that went above it first at the beginning. */
      const behind = new Set<Output>()

      /** Waits until the client has read most of what was sent. */
      const room = ({ raw }: Output) =>
        Effect.suspend(() => {
          if (!isBehind(raw)) return Effect.void
          return Effect.callback<void>((resume) => {
            const stop = () => raw.off("drain", done).off("close", done)
            const done = () => {
              stop()
              resume(Effect.void)
            }
            raw.on("drain", done).on("close", done)
            return Effect.sync(stop)
          }).pipe(Effect.timeoutOrElse({ duration: stalledFor, orElse: () => Effect.sync(() => raw.destroy()) }))
        })

      /** Cuts off those that have been behind for longest while all of them together are above the budget. */
      const noteBacklog = (output: Output): void => {
        if (!isBehind(output.raw)) return
        behind.add(output)
        let total = 0
        for (const other of behind) {
          if (isBehind(other.raw)) total += backlogOf(other)
          else behind.delete(other)
        }
        for (const longest of behind) {
          if (total <= backlogBudget) return
          if (longest === output) continue
          total -= backlogOf(longest)
          behind.delete(longest)
          longest.raw.destroy()
        }
      }

      /** Sends what is made, once the client has room for it. */
      const send = <E>(output: Output, size: number, sending: Effect.Effect<void, E>) =>
        Effect.suspend(() => {
          output.waiting += size
          noteBacklog(output)
          return room(output).pipe(
            Effect.ensuring(
              Effect.sync(() => {
                output.waiting -= size
              })
            ),
            Effect.andThen(Effect.suspend(() => (output.isOver || output.raw.destroyed ? Effect.void : sending))),
            Effect.tap(() => Effect.sync(() => noteBacklog(output)))
          )
        })

      const limits = (output: Output, address: string): RpcConnection["limited"] => {
        const running = Semaphore.makeUnsafe(most.running)
        const open = { calls: 0, streams: 0 }
        return (isStream, call) => {
          const kind = isStream ? "streams" : "calls"
          const within = isStream
            ? Effect.scoped(Effect.andThen(addresses.open(address), call))
            : running.withPermit(Effect.andThen(room(output), runningInAll.withPermit(call)))
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
          const output: Output = { raw, waiting: 0, isOver: false }
          // Each answer that waits for room listens.
          raw.setMaxListeners(0)
          raw.once("close", () => behind.delete(output))
          const over = Effect.sync(() => {
            output.isOver = true
          })
          const reader = socket.reader.pipe(
            // Finalizers run in the reverse order: this one before the socket's own.
            Effect.tap(() => Effect.addFinalizer(() => over)),
            Effect.map(({ pull, upgrade }) => ({
              pull: Effect.tap(pull, () => Effect.sync(() => arriving.finished())),
              upgrade
            }))
          )
          const writer = Effect.map(socket.writer, ({ write, writeAll }): Socket.Writer => {
            const sizeOf = (chunk: Parameters<typeof write>[0]) =>
              typeof chunk === "string" || chunk instanceof Uint8Array ? chunk.length : 0
            return {
              write: (chunk) => send(output, sizeOf(chunk), write(chunk)),
              writeAll: (chunks) =>
                send(
                  output,
                  chunks.reduce((size, chunk) => size + chunk.length, 0),
                  writeAll(chunks)
                )
            }
          })
          return {
            connection: {
              headers,
              address,
              identified: () => arriving.allow(maxBodyBytes),
              limited: limits(output, address)
            },
            socket: Socket.make({ reader, writer })
          }
        }
      })
    })
  )
}
