import type { Duplex } from "node:stream"
import { Effect } from "effect"

/** Bytes that may wait for a client to read them before its next answer does. */
const highWaterMark = 64 * 1024

/** Bytes that may wait for all clients that are behind; then the one that has been for the longest time is cut off. */
const budget = 16 * 1024 * 1024

/** How long a client that is behind may take nothing. */
const stalledFor = "20 seconds"

/** What goes out on one connection. */
export interface Output {
  /** Waits until the client has read most of what was sent. */
  readonly room: Effect.Effect<void>
  /** Sends `size` bytes that are made, once the client has room for them. */
  readonly send: <E>(size: number, sending: Effect.Effect<void, E>) => Effect.Effect<void, E>
  /** Nothing is sent any more: Effect's socket never frees what is written from then on. */
  readonly end: Effect.Effect<void>
}

interface Waiting {
  readonly raw: Duplex
  /** Bytes of answers that are made and wait for room. */
  bytes: number
}

const isBehind = ({ raw }: Waiting): boolean => raw.writableLength > highWaterMark && !raw.destroyed

const backlogOf = ({ bytes, raw }: Waiting): number => raw.writableLength + bytes

const room = (waiting: Waiting) =>
  Effect.suspend(() => {
    if (!isBehind(waiting)) return Effect.void
    const { raw } = waiting
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

/** The outputs of connections that share one budget. */
export const makeBacklog = (): ((raw: Duplex) => Output) => {
  /** Above the high-water mark, the one that went above it first at the beginning. */
  const behind = new Set<Waiting>()

  /** Cuts off those that have been behind for longest while all of them together are above the budget. */
  const note = (waiting: Waiting): void => {
    if (!isBehind(waiting)) return
    behind.add(waiting)
    let total = 0
    for (const other of behind) {
      if (isBehind(other)) total += backlogOf(other)
      else behind.delete(other)
    }
    for (const longest of behind) {
      if (total <= budget) return
      if (longest === waiting) continue
      total -= backlogOf(longest)
      behind.delete(longest)
      longest.raw.destroy()
    }
  }

  return (raw) => {
    const waiting: Waiting = { raw, bytes: 0 }
    const add = (size: number) =>
      Effect.sync(() => {
        waiting.bytes += size
        note(waiting)
      })
    let isOver = false
    // Each answer that waits for room listens.
    raw.setMaxListeners(0)
    raw.once("close", () => behind.delete(waiting))
    return {
      room: room(waiting),
      send: (size, sending) =>
        Effect.acquireUseRelease(
          add(size),
          () => room(waiting),
          () => add(-size)
        ).pipe(
          Effect.andThen(Effect.suspend(() => (isOver || raw.destroyed ? Effect.void : sending))),
          Effect.tap(() => add(0))
        ),
      end: Effect.sync(() => {
        isOver = true
      })
    }
  }
}
