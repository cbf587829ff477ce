import type { Duplex } from "node:stream"
import { Array as Arr, Context, Effect, Layer, Scope, Semaphore } from "effect"
import type { Headers } from "effect/http"
import { Socket } from "effect/socket"
import { ServiceBusy, TooManyOpen } from "../domain/LimitErrors.ts"
import type { Reserve } from "../tasks/TaskRow.ts"
import { AddressConnections } from "./AddressConnections.ts"
import { maxBodyBytes } from "./http/BodyBytes.ts"
import { InFlight, leastPiece, roomTimeout } from "./http/InFlight.ts"
import { makeBacklog, type Output } from "./RpcBacklog.ts"
import { type Arriving, refuseFrame, UnfinishedFrames } from "./UnfinishedFrames.ts"

/** Bytes of complete frames that Effect's socket reads ahead. */
const readAhead = 64 * 1024

/** Bytes of the largest frame of a caller who is not known yet. Known ones may send what REST takes as a body. */
const largestUnknownFrame = 1024 * 1024 + readAhead

/**
 * Most event streams of a connection, most calls that it has worked on at once, and most calls of all connections that are: each may make an
 * answer of many megabytes. The next frame of a connection waits until one of its calls is answered.
 */
const most = { streams: 100, running: 8, runningInAll: 16 }

/** One socket at `/rpc`, as its calls see it. */
export interface RpcConnection {
  /** Of the handshake. */
  readonly headers: Headers.Headers
  /** What limits count its address as. */
  readonly address: string
  /** A call has shown whose connection it is: larger frames are taken. */
  readonly identified: () => void
  /** Runs a call when the connection has room for it; the scope is the call's, and closes when its answer is sent. */
  readonly limited: <A, E, R>(
    isStream: boolean,
    call: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | TooManyOpen, R | Scope.Scope>
}

/** The connection whose call is running. */
export const CurrentConnection = Context.Reference<RpcConnection | undefined>("bytebot/CurrentConnection", {
  defaultValue: () => undefined
})

/** Bytes: an answer is one message, and in memory several times while it is made. */
const largestAnswer = 16 * 1024 * 1024

/** Asked before a large answer to the current call is read into memory; it waits until there is room. */
export const CurrentReserve = Context.Reference<Reserve>("bytebot/CurrentReserve", {
  defaultValue: () => () => Effect.void
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
      const { answers } = yield* InFlight
      const runningInAll = Semaphore.makeUnsafe(most.runningInAll)
      const outputOf = makeBacklog()

      const limits = (
        output: Output,
        running: Semaphore.Semaphore,
        address: string
      ): Pick<RpcConnection, "limited"> => {
        const large = Semaphore.makeUnsafe(1)
        let streams = 0
        const stream = Effect.acquireRelease(
          Effect.suspend(() => {
            if (streams >= most.streams)
              return Effect.fail(new TooManyOpen({ message: `This connection has ${streams} streams open already` }))
            streams += 1
            return Effect.void
          }),
          () =>
            Effect.sync(() => {
              streams -= 1
            })
        ).pipe(Effect.andThen(addresses.open(address)))
        return {
          limited: Effect.fnUntraced(function* <A, E, R>(isStream: boolean, call: Effect.Effect<A, E, R>) {
            if (isStream) {
              yield* stream
              return yield* call
            }
            yield* running.takeScoped(1)
            yield* output.room
            const lease = yield* answers.scoped
            const scope = yield* Effect.scope
            const reserve: Reserve = (bytes) => {
              if (bytes > largestAnswer)
                return Effect.fail(new ServiceBusy({ answerBytes: bytes, most: largestAnswer }))
              return bytes <= leastPiece
                ? Effect.void
                : large
                    .takeScoped(1)
                    .pipe(
                      Effect.andThen(output.room),
                      Effect.andThen(lease.await(2 * bytes, roomTimeout)),
                      Effect.provideService(Scope.Scope, scope)
                    )
            }
            // A turn of the event loop works on that many calls at most.
            return yield* runningInAll.withPermit(
              Effect.andThen(Effect.yieldNow, Effect.provideService(call, CurrentReserve, reserve))
            )
          })
        }
      }

      return RpcConnections.of({
        guard: ({ address, headers, raw, socket }) => {
          const arriving = frames.watch(raw, largestUnknownFrame, () => refuseFrame(raw))
          const output = outputOf(raw)
          const running = Semaphore.makeUnsafe(most.running)
          return {
            connection: {
              headers,
              address,
              identified: () => arriving.allow(maxBodyBytes),
              ...limits(output, running, address)
            },
            socket: Socket.make({
              reader: readerOf({ raw, socket, output, running, arriving }),
              writer: writerOf(socket, output)
            })
          }
        }
      })
    })
  )
}

/**
 * One frame at a time: the next is read when a call may run and the client has read most of what was sent. A large one counts as arriving
 * until its calls are answered.
 */
const readerOf = (on: {
  readonly raw: Duplex
  readonly socket: Socket.Socket
  readonly output: Output
  readonly running: Semaphore.Semaphore
  readonly arriving: Arriving
}): Socket.Socket["reader"] => {
  const { arriving, output, raw, running, socket } = on
  return socket.reader.pipe(
    // Finalizers run in the reverse order: this one before the socket's own.
    Effect.tap(() => Effect.addFinalizer(() => output.end)),
    Effect.map(({ pull, upgrade }) => {
      let frames: ReadonlyArray<Uint8Array | string> = []
      let isLarge = false
      return {
        pull: Effect.gen(function* () {
          yield* running.withPermits(isLarge ? most.running : 1)(output.room)
          if (isLarge) arriving.finished()
          // What a client that has left had sent is not worked on.
          const batch = Arr.isReadonlyArrayNonEmpty(frames) && !raw.destroyed ? frames : yield* pull
          // What else there is to do goes on between frames.
          yield* Effect.yieldNow
          const [frame] = batch
          frames = batch.slice(1)
          isLarge = frame.length > readAhead
          if (!isLarge) arriving.finished()
          return [frame] as const
        }),
        upgrade
      }
    })
  )
}

const writerOf = (socket: Socket.Socket, output: Output): Socket.Socket["writer"] =>
  Effect.map(socket.writer, ({ write, writeAll }) => ({
    write: (chunk) => output.send(Socket.isCloseEvent(chunk) ? 0 : chunk.length, write(chunk)),
    writeAll: (chunks) =>
      output.send(
        chunks.reduce((size, chunk) => size + chunk.length, 0),
        writeAll(chunks)
      )
  }))
