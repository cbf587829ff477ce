import { Effect, Option, Queue, Schema, type Scope } from "effect"
import { io } from "socket.io-client"
import type { OwnActions } from "./OwnActions.ts"
import { Screenshot } from "./Screenshot.ts"

/** What the daemon reports of a person's input: the action with its fields, and the screen before it where it was seen. */
export interface UserInput {
  readonly image: string | undefined
  readonly action: Readonly<Record<string, Schema.Json>>
}

/** A person acts a few times a second at most; a queue of this size outlasts any hiccup of the database. */
export const inputCapacity = 1_000

const Action = Schema.Record(Schema.String, Schema.Json)
const decodeAction = Schema.decodeUnknownOption(Schema.Tuple([Action]))
const decodePicturedAction = Schema.decodeUnknownOption(Schema.Tuple([Schema.Unknown, Action]))
const decodeScreenshot = Schema.decodeUnknownOption(Screenshot)

/**
 * The daemon's Socket.IO events as a queue, until the scope closes; reconnects by itself. Frames that fit no schema are dropped, and what
 * may have been reported of our own actions. A picture that is no PNG is left out.
 */
export const userInput = (url: string, own: OwnActions): Effect.Effect<Queue.Dequeue<UserInput>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const inputs = yield* Queue.sliding<UserInput>(inputCapacity)
    const offer = (input: UserInput): void => {
      if (!own.mayBeReported) Queue.offerUnsafe(inputs, input)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const socket = io(url, { transports: ["websocket"], forceNew: true })
        socket.on("action", (...args: ReadonlyArray<unknown>) => {
          const decoded = decodeAction(args)
          if (Option.isSome(decoded)) offer({ image: undefined, action: decoded.value[0] })
        })
        socket.on("screenshotAndAction", (...args: ReadonlyArray<unknown>) => {
          const decoded = decodePicturedAction(args)
          if (Option.isNone(decoded)) return
          const [picture, action] = decoded.value
          offer({ image: Option.getOrUndefined(decodeScreenshot(picture))?.image, action })
        })
        return socket
      }),
      (socket) => Effect.sync(() => socket.disconnect())
    )
    return inputs
  })
