import { Effect, Queue, type Schema, type Scope } from "effect"
import { io } from "socket.io-client"
import { reportedAction, reportedPicture } from "./DesktopAnswers.ts"
import type { OwnActions } from "./OwnActions.ts"

/** Reported input of a user: the action with its fields, and the screen before it, if it was taken. */
export interface UserInput {
  readonly image: string | undefined
  readonly action: Readonly<Record<string, Schema.Json>>
}

/** What a daemon reports. */
export interface Reports {
  readonly inputs: Queue.Dequeue<UserInput>
  /** The connection was lost and is there again: the daemon may have been started again, and report nothing. */
  readonly reconnects: Queue.Dequeue<void>
}

/** A user acts a few times a second: a queue of this size outlasts a short outage of the database. */
export const inputCapacity = 1_000

/** Queued actions from which on further ones lose their pictures, which are large. */
const waitingPictures = 50

/**
 * The daemon's Socket.IO events as queues, until the scope closes; reconnects by itself. Events that fit no schema are dropped, and reports
 * of the agent's own actions. A picture that is not a PNG is left out.
 */
export const userInput = (url: string, own: OwnActions): Effect.Effect<Reports, never, Scope.Scope> =>
  Effect.gen(function* () {
    const inputs = yield* Queue.sliding<UserInput>(inputCapacity)
    const reconnects = yield* Queue.sliding<void>(1)
    const offer = (input: UserInput): void => {
      if (!own.mayBeReported) Queue.offerUnsafe(inputs, input)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const socket = io(url, { transports: ["websocket"], forceNew: true })
        socket.io.on("reconnect", () => Queue.offerUnsafe(reconnects, undefined))
        socket.on("action", (reported: unknown) => {
          const action = reportedAction(reported)
          if (action._tag === "Some") offer({ image: undefined, action: action.value })
        })
        socket.on("screenshotAndAction", (shown: unknown, reported: unknown) => {
          const action = reportedAction(reported)
          if (action._tag === "None") return
          const image = Queue.sizeUnsafe(inputs) < waitingPictures ? reportedPicture(shown) : undefined
          offer({ image, action: action.value })
        })
        return socket
      }),
      (socket) => Effect.sync(() => socket.disconnect())
    )
    return { inputs, reconnects }
  })
