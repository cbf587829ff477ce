import { Effect, Schema } from "effect"

/** A WebSocket at `/rpc` that speaks in frames of the test's own. */
export interface RpcSocket {
  readonly send: (frame: string) => void
  /** What the service sent, oldest first. */
  readonly received: ReadonlyArray<typeof Received.Type>
  /** The close code once the socket is closed; undefined before. */
  readonly closed: () => number | undefined
}

const Received = Schema.Struct({
  _tag: Schema.String,
  requestId: Schema.optionalKey(Schema.String),
  exit: Schema.optionalKey(Schema.Json),
  defect: Schema.optionalKey(Schema.Json)
})
const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Received))

/** An open socket, closed with the scope. `headers` are those of the handshake. */
export const rpcSocket = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  Effect.acquireRelease(
    Effect.callback<RpcSocket & { readonly close: () => void }>((resume) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/rpc`, { headers: { ...headers } })
      const received: Array<typeof Received.Type> = []
      let code: number | undefined
      socket.onmessage = ({ data }) => received.push(decode(String(data)))
      socket.onclose = (event) => {
        code = event.code
        resume(Effect.die(new Error(`refused: ${event.code}`)))
      }
      socket.onopen = () =>
        resume(
          Effect.succeed({
            send: (frame) => socket.send(frame),
            close: () => socket.close(),
            received,
            closed: () => code
          })
        )
    }),
    ({ close }) => Effect.sync(close)
  )

/** The frame of a call. */
export const call = (
  id: number,
  tag: string,
  payload: Schema.Json = {},
  headers: ReadonlyArray<readonly [string, string]> = []
): string => JSON.stringify({ _tag: "Request", id: String(id), tag, payload, headers })
