import { createServer } from "node:http"
import pg from "pg"
import { Server } from "socket.io"
import { newMessageJson } from "../../src/database/WireJson.ts"

/**
 * The least socket.io server that tells a task's subscribers of its new messages, with the bytes of the service: it hears of the same
 * rows by the same notifications, reads each once by a prepared statement, and has socket.io's own in-memory adapter send it to the room.
 * No recovery of lost connections (so its events lack the offset, some 20 bytes), no limits, no accounts, no metrics.
 * `node bench/baseline/socket.ts DATABASE_URL` prints its port.
 */

const database = { connectionString: process.argv[2] ?? "" }
const [listener, reader] = [new pg.Client(database), new pg.Client(database)]
await Promise.all([listener.connect(), reader.connect()])

const server = createServer()
const io = new Server(server, { cors: { origin: "*" } })
io.on("connection", (socket) => {
  socket.on("join_task", (taskId: string, acknowledge: (answer: { ok: boolean }) => void) => {
    void socket.join(`task_${taskId}`)
    acknowledge({ ok: true })
  })
})

const load = `SELECT ${newMessageJson("m")} AS payload FROM "TaskEvent" e JOIN "Message" m ON m."id" = e."messageId" WHERE e."id" = $1`
const tell = async (notification: string) => {
  const { id, kind, taskId } = JSON.parse(notification)
  const room = `task_${taskId}`
  if (!io.of("/").adapter.rooms.has(room)) return
  const { rows } = await reader.query({ name: "load", text: load, values: [id] })
  io.to(room).emit(kind, rows[0]?.payload)
}
let told = Promise.resolve()
listener.on("notification", ({ payload = "{}" }) => {
  told = told.then(() => tell(payload))
})
await listener.query("LISTEN bytebot_events")

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.stdout.write(`${typeof address === "object" ? address?.port : 0}\n`)
})
process.on("SIGTERM", () => process.exit(0))
