import { isDeepStrictEqual } from "node:util"
import { Schema } from "effect"
import { io } from "socket.io-client"
import { contentOf } from "./messages.ts"
import { rawSubscriber } from "./rawSubscriber.ts"

/**
 * A process full of subscribers of one task. `node bench/events/subscribers.ts URL TASK RAW REAL` joins and says "ready"; told of a range of
 * messages that will come, it says "expecting", and then when each of them reached each subscriber, once all have come. (See events.ts.)
 */

const [url = "", taskId = "", raw = "0", real = "0"] = process.argv.slice(2)
const count = Number(raw) + Number(real)

/** For each message, when which subscriber had got all of it, in ms of the clock that all processes share. */
const received = new Map<number, Float64Array>()
const lengths = new Map<number, number>()
const next: Array<number> = Array.from({ length: count }, () => 0)
let disorder = 0
let damaged = 0
let asked = { from: 0, to: 0 }
let missing = 0

const now = (): number => Number(process.hrtime.bigint()) / 1e6

const note = (subscriber: number, message: number): void => {
  const times = received.get(message) ?? new Float64Array(count)
  received.set(message, times)
  times[subscriber] = now()
  if (message !== next[subscriber]) disorder += 1
  next[subscriber] = message + 1
  missing -= 1
  if (missing === 0) answer()
}

/** A gap counts as disorder where it shows, and what never comes keeps the answer away until the parent gives up. */
const answer = (): void => {
  const { from, to } = asked
  const times = Array.from({ length: to - from }, (_, index) => received.get(from + index) ?? new Float64Array(count))
  received.clear()
  lengths.clear()
  process.send?.({ times, disorder, damaged })
}

const join = (subscriber: number): Promise<void> =>
  rawSubscriber(url, taskId, (head, length) => {
    const [, text = ""] = /^42\["new_message",\{"id":"[^":]*:(\d+)"/.exec(head) ?? []
    const message = Number(text)
    // All have to get the same; what it is, the real clients look at.
    if (text === "" || (lengths.get(message) ?? length) !== length) damaged += 1
    lengths.set(message, length)
    note(subscriber, message)
  })

const decodeMessage = Schema.decodeUnknownSync(
  Schema.Struct({ id: Schema.String, content: Schema.Array(Schema.Json), taskId: Schema.Literal(taskId) })
)

const joinAsRealClient = async (subscriber: number): Promise<void> => {
  const socket = io(url, { transports: ["websocket"], forceNew: true, reconnection: false })
  socket.on("new_message", (payload: unknown) => {
    const { content, id } = decodeMessage(payload)
    const message = Number(id.slice(taskId.length + 1))
    note(subscriber, message)
    if (!isDeepStrictEqual(content, contentOf(message))) damaged += 1
  })
  socket.once("disconnect", (reason) => {
    throw new Error(`A real client was cut off: ${reason}`)
  })
  await new Promise((resolve) => socket.once("connect", () => resolve(undefined)))
  await socket.emitWithAck("join_task", taskId)
}

/** Some at a time: the server's queue of connections to accept is short. */
const together = 50
for (let first = 0; first < count; first += together) {
  const some = Array.from({ length: Math.min(together, count - first) }, (_, index) => first + index)
  await Promise.all(some.map((one) => (one < Number(raw) ? join(one) : joinAsRealClient(one))))
}

const decodeRange = Schema.decodeUnknownSync(Schema.Struct({ from: Schema.Int, to: Schema.Int }))
process.on("message", (range: unknown) => {
  asked = decodeRange(range)
  missing = (asked.to - asked.from) * count
  next.fill(asked.from)
  process.send?.("expecting")
})
process.on("disconnect", () => process.exit(0))
process.send?.("ready")
