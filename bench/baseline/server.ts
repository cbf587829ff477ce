import { hash, randomUUID } from "node:crypto"
import { createServer, type ServerResponse } from "node:http"
import pg from "pg"

/**
 * The least code that answers the same bytes on the routes that are measured, headers included: node:http, and a pool of `pg` with prepared
 * statements. No validation, no events, no errors, no metrics. `node bench/baseline/server.ts DATABASE_URL` prints its port.
 */

pg.types.setTypeParser(1114, (text) => new Date(`${text.replace(" ", "T")}Z`).toISOString())
// JSON as it is stored.
const pool = new pg.Pool({ connectionString: process.argv[2] ?? "", max: 10, options: "-c timezone=UTC" })

const task = `"id", "description", "type", "status", "priority", "control", "createdAt", "createdBy", "scheduledFor", "updatedAt", "executedAt", "completedAt", "queuedAt", "error", "result", "model"`
const message = `"id", "content", "role", "createdAt", "updatedAt", "taskId", "summaryId"`

const query = async (name: string, text: string, values: Array<unknown>) =>
  (await pool.query({ name, text, values })).rows

const headers = (length: number, etag: string) => ({
  "content-type": "application/json; charset=utf-8",
  "access-control-allow-origin": "*",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "x-request-id": randomUUID(),
  etag,
  "content-length": length
})

const send = (response: ServerResponse, status: number, value: unknown) => {
  const body = JSON.stringify(value)
  const length = Buffer.byteLength(body)
  const etag = `W/"${length.toString(16)}-${hash("sha1", body, "base64").slice(0, 27)}"`
  response.writeHead(status, headers(length, etag))
  response.end(body)
}

const withFiles = async (id: string) => {
  const [[row], files] = await Promise.all([
    query("task", `SELECT ${task} FROM "Task" WHERE "id" = $1`, [id]),
    query(
      "files",
      `SELECT "id", "name", "type", "size", "data", "createdAt", "updatedAt", "taskId" FROM "File" WHERE "taskId" = $1`,
      [id]
    )
  ])
  return { ...row, files }
}

const page = (id: string, limit: number) =>
  query("messages", `SELECT ${message} FROM "Message" WHERE "taskId" = $1 ORDER BY "createdAt", "position" LIMIT $2`, [
    id,
    limit
  ])

const group = (messages: ReadonlyArray<{ role: string; content: ReadonlyArray<{ type: string }> }>) => {
  const groups: Array<{ role: string; messages: Array<unknown>; take_over: boolean }> = []
  for (const one of messages) {
    const role = one.role === "USER" && one.content.every(({ type }) => type === "tool_result") ? "ASSISTANT" : one.role
    const last = groups.at(-1)
    const shown = { ...one, role }
    if (last?.role === role) last.messages.push(shown)
    else groups.push({ role, messages: [shown], take_over: false })
  }
  return groups
}

/** The text of the page as it is stored, from one query to the response: what no parsing and printing can beat. */
const streamed = async (response: ServerResponse, id: string, limit: number) => {
  const [row] = await query(
    "text",
    `SELECT convert_to(coalesce(json_agg(to_json(m))::text, '[]'), 'UTF8') AS body FROM (SELECT ${message} FROM "Message" WHERE "taskId" = $1 ORDER BY "createdAt", "position" LIMIT $2) m`,
    [id, limit]
  )
  response.writeHead(200, headers(row.body.length, `W/"${row.body.length}"`))
  response.end(row.body)
}

const read = async (request: AsyncIterable<Buffer>) => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString())
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost")
  const [, , id = "", ...rest] = url.pathname.split("/")
  const limit = Number(url.searchParams.get("limit") ?? 10)
  if (request.method === "GET" && rest.join("/") === "messages/processed")
    send(response, 200, group(await page(id, limit)))
  else if (request.method === "GET" && rest[0] === "messages" && url.searchParams.has("streamed"))
    await streamed(response, id, limit)
  else if (request.method === "GET" && rest[0] === "messages") send(response, 200, await page(id, limit))
  else if (request.method === "POST" && rest[0] === "messages") {
    const { message: text } = await read(request)
    await query(
      "say",
      `INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId") VALUES ($1, $2, 'USER', now(), $3)`,
      [randomUUID(), JSON.stringify([{ type: "text", text }]), id]
    )
    send(response, 201, await withFiles(id))
  } else if (request.method === "POST") {
    const { description, model, scheduledFor } = await read(request)
    const task_id = randomUUID()
    const [row] = await query(
      "create",
      `WITH t AS (INSERT INTO "Task" ("id", "description", "model", "updatedAt", "scheduledFor") VALUES ($1, $2, $3, now(), $6) RETURNING *),
        m AS (INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId") SELECT $4, $5, 'USER', now(), "id" FROM t) SELECT ${task} FROM t`,
      [
        task_id,
        description,
        model,
        randomUUID(),
        JSON.stringify([{ type: "text", text: `${description} ` }]),
        scheduledFor
      ]
    )
    send(response, 201, row)
  } else if (id === "") {
    const [tasks, [count]] = await Promise.all([
      query("list", `SELECT ${task} FROM "Task" ORDER BY "createdAt" DESC, "position" DESC LIMIT $1`, [limit]),
      query("count", `SELECT count(*)::int AS total FROM "Task"`, [])
    ])
    send(response, 200, { tasks, total: count.total, totalPages: Math.ceil(count.total / limit) })
  } else send(response, 200, await withFiles(id))
})
server.keepAliveTimeout = 65_000
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.stdout.write(`${typeof address === "object" ? address?.port : 0}\n`)
})
process.on("SIGTERM", () => process.exit(0))
