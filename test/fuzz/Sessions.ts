import { Arbitrary, Effect } from "effect"
import { among, integer, json, oneOf, text } from "./Values.ts"

/** Conversations over WebSocket: with Socket.IO, and with Effect RPC. */

export interface Session {
  readonly path: string
  /** Frames, in their order. */
  readonly sent: ReadonlyArray<string>
}

const events = among("join_task", "leave_task", "connect", "disconnect", "error", "newListener", "__proto__", "", "x")

/** Packets of Engine.IO 4 and Socket.IO 5, right and wrong. */
const packet = oneOf(
  Arbitrary.map(Arbitrary.all([events, json]), ([event, value]) => `42[${JSON.stringify(event)},${value}]`),
  Arbitrary.map(Arbitrary.all([events, json]), ([event, value]) => `421[${JSON.stringify(event)},${value}]`),
  Arbitrary.map(Arbitrary.all([integer(0, 9), json]), ([type, value]) => `4${type}${value}`),
  Arbitrary.map(Arbitrary.all([integer(0, 9), text]), ([type, value]) => `${type}${value}`),
  Arbitrary.map(json, (value) => `40${value}`),
  Arbitrary.map(text, (value) => `40/${value},`),
  Arbitrary.map(Arbitrary.all([integer(0, 99_999), json]), ([count, value]) => `45${count}-["join_task",${value}]`),
  among(
    ...[
      "2",
      "3",
      "1",
      "5",
      "6",
      "41",
      "42",
      "43",
      "44",
      "45",
      "451-",
      "40",
      "2probe",
      "42[]",
      "42{}",
      "42[1]",
      "42[null]"
    ],
    ...[
      '40{"pid":"x","offset":"y"}',
      '40{"pid":{},"offset":[]}',
      '40{"token":[]}',
      '451-[{"_placeholder":true,"num":9}]'
    ]
  ),
  text
)

const calls = among(
  ...["CreateTask", "GetTask", "ListTasks", "DeleteTask", "TakeOverTask", "ResumeTask", "CancelTask", "GetUsage"],
  ...["AddMessage", "ListMessages", "ListModels", "ListDesktops", "WatchTask", "WatchTasks", "__proto__", "toString"]
)

/** Messages of Effect RPC, right and wrong. */
const message = oneOf(
  Arbitrary.map(
    Arbitrary.all([calls, integer(0, 9), json]),
    ([tag, id, payload]) => `{"_tag":"Request","id":"${id}","tag":"${tag}","payload":${payload},"headers":[]}`
  ),
  Arbitrary.map(
    Arbitrary.all([calls, text]),
    ([tag, value]) =>
      `{"_tag":"Request","id":"1","tag":"${tag}","payload":{"id":${JSON.stringify(value)},"message":"x"},"headers":[["a","b"]]}`
  ),
  Arbitrary.map(json, (value) => `{"_tag":"Request","id":"1","tag":"GetTask","payload":{"id":"x"},"headers":${value}}`),
  Arbitrary.map(
    Arbitrary.all([among("Ack", "Interrupt", "Eof", "Ping", "Pong", "Chunk", "Exit", "Defect", "x"), json]),
    ([tag, value]) => `{"_tag":"${tag}","requestId":${value}}`
  ),
  Arbitrary.map(Arbitrary.all([calls, json, text]), ([tag, payload, value]) =>
    JSON.stringify({
      _tag: "Request",
      id: "1",
      tag,
      payload,
      headers: [
        ["authorization", value],
        ["origin", value],
        ["cookie", value]
      ]
    })
  ),
  Arbitrary.map(Arbitrary.array(json, { maxLength: 8 }), (list) => `[${list.join(",")}]`),
  among(
    `[${"[],".repeat(100_000)}[]]`,
    "[".repeat(100_000),
    `{"a":"${"\\\\".repeat(1_000)}`,
    `${'{"_tag":"Ping"},'.repeat(3_000)}`,
    `[${Array.from({ length: 2_000 }, (_, id) => `{"_tag":"Request","id":"${id}","tag":"WatchTasks","payload":{},"headers":[]}`).join(",")}]`,
    "x".repeat(1_100_000)
  ),
  json,
  text
)

/** Packets before the namespace is entered: large ones, and attachments that nothing waits for. */
const early = oneOf(
  packet,
  among(
    "2probe",
    "5",
    "4".repeat(70_000),
    `451-["x",{"_placeholder":true,"num":0}]`,
    `4510-["x"]`,
    `40${"[".repeat(1_000)}`
  )
)

export const session: Arbitrary.Arbitrary<Session> = oneOf(
  Arbitrary.map(Arbitrary.array(packet, { minLength: 1, maxLength: 8 }), (sent) => ({
    path: "/socket.io/?EIO=4&transport=websocket",
    sent: ["40", ...sent]
  })),
  Arbitrary.map(Arbitrary.array(early, { minLength: 1, maxLength: 8 }), (sent) => ({
    path: "/socket.io/?EIO=4&transport=websocket",
    sent
  })),
  Arbitrary.map(Arbitrary.array(message, { minLength: 1, maxLength: 8 }), (sent) => ({ path: "/rpc", sent }))
)

/** Says all that, and leaves once the service has answered something or closed. Whether the connection came to an end. */
export const converse = (url: string, { path, sent }: Session): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}${path}`)
    const timer = setTimeout(() => resume(Effect.succeed(false)), 20_000)
    socket.onopen = () => {
      for (const frame of sent) socket.send(frame)
      socket.close()
    }
    socket.onclose = () => {
      clearTimeout(timer)
      resume(Effect.succeed(true))
    }
  })
