import { Schema } from "effect"
import { RpcSerialization } from "effect/rpc"
import { shapeProblem } from "./JsonShape.ts"

const Id = Schema.Union([Schema.String, Schema.Finite])

/** What the server of effect/rpc relies on in what clients send without looking (its `RpcMessage`, `FromClientEncoded`). */
const isMessage = Schema.is(
  Schema.Union([
    Schema.Struct({
      _tag: Schema.Literal("Request"),
      id: Id,
      tag: Schema.String,
      headers: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
      traceId: Schema.optionalKey(Schema.String),
      spanId: Schema.optionalKey(Schema.String)
    }),
    Schema.Struct({ _tag: Schema.Literals(["Ack", "Interrupt"]), requestId: Id }),
    Schema.Struct({ _tag: Schema.Literals(["Ping", "Eof"]) })
  ])
)

/** Most messages of a frame: Effect's client sends each in one of its own. */
const mostMessages = 32

/**
 * JSON, as Effect's own serialization, but that frames of too many values or messages, and what is no message, throw here, which the server answers
 * with a defect, and not where it would fail on it.
 */
export const checkedJson = RpcSerialization.RpcSerialization.of({
  ...RpcSerialization.json,
  makeUnsafe: () => {
    const { decode, encode } = RpcSerialization.json.makeUnsafe()
    return {
      encode,
      decode: (bytes) => {
        const text = typeof bytes === "string" ? bytes : new TextDecoder().decode(bytes)
        const problem = shapeProblem(text)
        if (problem !== undefined) throw new Error(problem)
        const messages = decode(text)
        if (messages.length > mostMessages) throw new Error(`A frame has at most ${mostMessages} messages`)
        if (!messages.every((message) => isMessage(message))) throw new Error("This is no message of Effect RPC")
        return messages
      }
    }
  }
})
