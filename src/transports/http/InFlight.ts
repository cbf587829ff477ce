import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Context, Duration, Effect, Layer, Schedule, Semaphore, Stream } from "effect"
import { HttpServerRequest } from "effect/http"
import { Settings } from "../../config/Settings.ts"
import { ServiceBusy } from "../../domain/LimitErrors.ts"

/** Bytes of an answer that are read at a time: at least, and at most where memory is free. */
export const leastPiece = 64 * 1024
const mostPiece = 2 * 1024 * 1024

/** Node's response, as far as it matters here. */
interface Closing {
  readonly once: (event: "close", done: () => void) => unknown
}

/** Bytes that may be held at a time, by all requests together. */
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

  /** Bytes that one more answer should read at a time: a share of what is left, so that many answers get small pieces. */
  get pieceSize(): number {
    return Math.min(mostPiece, Math.max(leastPiece, Math.floor(this.room / 16)))
  }

  /** What one request holds; it ends with the request's response. */
  lease(response: Closing): ByteLease {
    const known = this.leases.get(response)
    if (known !== undefined) return known
    const lease = this.begin()
    this.leases.set(response, lease)
    response.once("close", () => lease.set(0))
    return lease
  }

  /** What ends with the scope. */
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

  /** Holds so many bytes from now on, whether or not there is room. */
  set(bytes: number): void {
    this.add(bytes - this.bytes)
    this.bytes = bytes
  }

  /** Holds so many bytes from now on if there is room for them, or if nothing else is held. */
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

const readsAtOnce = 1

/** How long a request waits for memory before it is refused. */
export const patience = Duration.seconds(5)

/** What large requests hold in memory. Small bodies and answers are not counted: they are always taken. */
export class InFlight extends Context.Service<
  InFlight,
  {
    readonly bodies: ByteBudget
    readonly answers: ByteBudget
    /** Runs the reading of a piece when few others are read: what was read leaves copies behind until memory is cleaned up. */
    readonly inTurn: <A, E, R>(read: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    /** How long a client may read, or send, nothing. */
    readonly readTimeout: Duration.Duration
  }
>()("bytebot/InFlight") {
  static readonly layer = Layer.effect(
    InFlight,
    Effect.map(Settings, ({ answerMemory, bodyMemory, readTimeout }) =>
      InFlight.of({
        bodies: new ByteBudget(bodyMemory),
        answers: new ByteBudget(answerMemory),
        inTurn: Semaphore.makeUnsafe(readsAtOnce).withPermits(1),
        readTimeout
      })
    )
  )
}

const slicesOf = (bytes: Uint8Array): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / leastPiece) }, (_, index) =>
    bytes.subarray(index * leastPiece, (index + 1) * leastPiece)
  )

/** The current request's share in the memory for bodies and answers. */
export const shareOf = (inFlight: InFlight["Service"], request: HttpServerRequest.HttpServerRequest) => {
  const { answers, bodies, readTimeout } = inFlight
  const response = NodeHttpServerRequest.toServerResponse(request)
  const answer = answers.lease(response)
  const hold = (bytes: number, hasBegun = false) => answer.await(bytes, hasBegun ? readTimeout : patience)
  return {
    body: bodies.lease(response),
    answer,
    /** Takes a piece of an answer in the place of the one before, however full the memory is; its size in bytes. */
    nextPiece: (): number => {
      answer.set(0)
      const size = answers.pieceSize
      answer.set(size)
      return size
    },
    /** Waits for room; what waits after the answer has begun waits as long as its client would. */
    hold,
    inTurn: inFlight.inTurn,
    /** The same for text of so many bytes, which is in memory twice for a while: as it is made, and as it is sent. */
    holdText: (bytes: number, hasBegun = false) => (bytes <= leastPiece ? Effect.void : hold(2 * bytes, hasBegun)),
    /**
     * The bytes of an answer, sent in slices. A client that has not taken one for so long is cut off, whatever it sends meanwhile: Node's own
     * timeout begins anew then.
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
    /** From now on Node ends the connection when no byte of the body has come for so long. */
    limitSilence: () => void response.setTimeout(Duration.toMillis(readTimeout)),
    /** Undoes `limitSilence`. */
    allowSilence: () => void response.setTimeout(0)
  }
}

/** Of the current request. */
export const currentShare = Effect.gen(function* () {
  return shareOf(yield* InFlight, yield* HttpServerRequest.HttpServerRequest)
})
