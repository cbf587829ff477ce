import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Context, Duration, Effect, Layer, Schedule, Semaphore, Stream } from "effect"
import { HttpServerRequest } from "effect/http"
import { Settings } from "../../config/Settings.ts"
import { ServiceBusy } from "../../domain/LimitErrors.ts"

/** Least bytes of an answer that are read at a time, and most, while memory is free. */
export const leastPiece = 64 * 1024
const mostPiece = 2 * 1024 * 1024

/** Node's response, as far as it matters here. */
interface Closing {
  readonly once: (event: "close", done: () => void) => unknown
}

/** A limit of the bytes that all requests together may hold. */
export class ByteBudget {
  private held = 0
  private readonly leases = new WeakMap<Closing, ByteLease>()
  readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  get room(): number {
    return Math.max(0, this.limit - this.held)
  }

  /** Bytes that another answer should read at a time: a share of the room, so that many answers get small pieces. */
  get pieceSize(): number {
    return Math.min(mostPiece, Math.max(leastPiece, Math.floor(this.room / 16)))
  }

  /** What one request holds until its response is closed. */
  lease(response: Closing): ByteLease {
    const known = this.leases.get(response)
    if (known !== undefined) return known
    const lease = this.begin()
    this.leases.set(response, lease)
    response.once("close", () => lease.set(0))
    return lease
  }

  /** A lease until the scope closes. */
  readonly scoped = Effect.acquireRelease(
    Effect.sync(() => this.begin()),
    (lease) => Effect.sync(() => lease.set(0))
  )

  private begin(): ByteLease {
    return new ByteLease((more) => {
      this.held += more
    }, this)
  }
}

export class ByteLease {
  private bytes = 0
  private readonly add: (more: number) => void
  private readonly budget: ByteBudget

  constructor(add: (more: number) => void, budget: ByteBudget) {
    this.add = add
    this.budget = budget
  }

  /** Holds so many bytes, also beyond the limit. */
  set(bytes: number): void {
    this.add(bytes - this.bytes)
    this.bytes = bytes
  }

  /** Holds so many bytes if there is room for them, or if nothing else is held. */
  trySet(bytes: number): boolean {
    const { limit, room } = this.budget
    const available = room + this.bytes
    if (bytes > available && available < limit) return false
    this.set(bytes)
    return true
  }

  /** Waits for room for so many bytes; fails after `timeout`. */
  await(bytes: number, timeout: Duration.Duration): Effect.Effect<void, ServiceBusy> {
    return Effect.suspend(() => (this.trySet(bytes) ? Effect.void : Effect.fail(new ServiceBusy()))).pipe(
      Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: timeout })))
    )
  }
}

/** How long a request waits for memory before it is refused. */
export const roomTimeout = Duration.seconds(5)

/** Memory that large requests hold. Small bodies and answers are not counted: they are always accepted. */
export class InFlight extends Context.Service<InFlight>()("bytebot/InFlight", {
  make: Effect.map(Settings, ({ answerMemory, bodyMemory, readTimeout }) => ({
    bodies: new ByteBudget(bodyMemory),
    answers: new ByteBudget(answerMemory),
    /** Reads one piece at a time: each leaves copies behind until the garbage collector runs. */
    inTurn: Semaphore.makeUnsafe(1).withPermits(1),
    /** How long a client may read, or send, nothing. */
    readTimeout
  }))
}) {
  static readonly layer = Layer.effect(InFlight, InFlight.make)
}

const slicesOf = (bytes: Uint8Array): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / leastPiece) }, (_, index) =>
    bytes.subarray(index * leastPiece, (index + 1) * leastPiece)
  )

/** A request's share of the memory for bodies and answers. */
export const shareOf = (inFlight: InFlight["Service"], request: HttpServerRequest.HttpServerRequest) => {
  const { answers, bodies, readTimeout } = inFlight
  const response = NodeHttpServerRequest.toServerResponse(request)
  const answer = answers.lease(response)
  const hold = (bytes: number, hasBegun = false) => answer.await(bytes, hasBegun ? readTimeout : roomTimeout)
  return {
    body: bodies.lease(response),
    answer,
    /** Holds a piece of the answer in place of the one before, also without room; gives its size in bytes. */
    nextPiece: (): number => {
      answer.set(0)
      const size = answers.pieceSize
      answer.set(size)
      return size
    },
    /** Waits for room: up to `roomTimeout`, or up to the client's timeout once the answer has begun. */
    hold,
    inTurn: inFlight.inTurn,
    /** The same for text of so many bytes, which is in memory twice: as it is made, and as it is sent. */
    holdText: (bytes: number, hasBegun = false) => (bytes <= leastPiece ? Effect.void : hold(2 * bytes, hasBegun)),
    /**
     * Sends the bytes in slices. A client that takes none for `readTimeout` is disconnected, also if it sends something, which restarts Node's
     * own timeout.
     */
    watched: <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E, R> => {
      const timer = setTimeout(() => response.destroy(), Duration.toMillis(readTimeout)).unref()
      response.once("close", () => clearTimeout(timer))
      return bytes.pipe(
        Stream.flatMap((chunk) => Stream.fromIterable(slicesOf(chunk))),
        Stream.rechunk(1),
        Stream.tap(() => Effect.sync(() => timer.refresh()))
      )
    },
    /** Node ends the connection when no byte of the body arrives for `readTimeout`. */
    limitSilence: () => void response.setTimeout(Duration.toMillis(readTimeout)),
    /** Undoes `limitSilence`. */
    allowSilence: () => void response.setTimeout(0)
  }
}

/** Of the current request. */
export const currentShare = Effect.gen(function* () {
  return shareOf(yield* InFlight, yield* HttpServerRequest.HttpServerRequest)
})
