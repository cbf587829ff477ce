import { hash, randomUUID } from "node:crypto"
import { createServer, type ServerResponse } from "node:http"
import pg from "pg"
import { fileJson, taskJson } from "../../src/database/WireJson.ts"

/**
 * The least code that answers the same JSON on the routes that are measured, headers included: node:http, one prepared statement per request,
 * and a pool of `pg`. PostgreSQL builds the JSON, which is passed on as text, so that no row is parsed or printed here. No validation, no
 * events, no errors, no metrics. `node bench/baseline/server.ts DATABASE_URL` prints its port.
 */

const pool = new pg.Pool({ connectionString: process.argv[2] ?? "", max: 10, options: "-c timezone=UTC" })

const files = `(SELECT coalesce(json_agg(${fileJson("f")} ORDER BY f."createdAt", f."id"), '[]') FROM "File" f WHERE f."taskId" = t."id")`
/** A task's JSON with its files: the files stand at its end, in place of the closing brace. */
const withFiles = `left(${taskJson("t")}::text, -1) || ',"files":' || ${files}::text || '}'`

const query = async (name: string, text: string, values: Array<unknown>) =>
  (await pool.query({ name, text, values })).rows[0]

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

const send = (response: ServerResponse, status: number, { body }: { readonly body: string }) => {
  const length = Buffer.byteLength(body)
  // The digest of megabytes would be most of the work; the service makes that tag from less, too.
  const digest = length > 100_000 ? String(length) : hash("sha1", body, "base64").slice(0, 27)
  response.writeHead(status, headers(length, `W/"${length.toString(16)}-${digest}"`))
  response.end(body)
}

/** The wire's form of a timestamp's text, which lacks zeros at its end. */
const instant = (at: string) => {
  const [day, time = "", part = ""] = at.split(/[ .]/)
  return `"${day}T${time}.${part.padEnd(3, "0")}Z"`
}

interface Row {
  readonly id: string
  readonly content: string
  readonly role: string
  readonly createdAt: string
  readonly updatedAt: string
  readonly summaryId: string | null
}

/** Reading rows and writing them by hand is quicker for many small messages than PostgreSQL's own functions for JSON. */
const messageText = (row: Row, taskId: string, role: string) =>
  `{"id":"${row.id}","content":${row.content},"role":"${role}","createdAt":${instant(row.createdAt)},"updatedAt":${instant(row.updatedAt)},"taskId":"${taskId}","summaryId":${row.summaryId === null ? null : `"${row.summaryId}"`}}`

const rows = async (taskId: string, limit: number): Promise<ReadonlyArray<Row>> =>
  (
    await pool.query<Row>({
      name: "messages",
      text: `SELECT "id", "content"::text, "role", "createdAt"::text, "updatedAt"::text, "summaryId" FROM "Message" WHERE "taskId" = $1 ORDER BY "createdAt", "position" LIMIT $2`,
      values: [taskId, limit]
    })
  ).rows

const messages = async (id: string, limit: number) => ({
  body: `[${(await rows(id, limit)).map((row) => messageText(row, id, row.role)).join(",")}]`
})

/** As the service groups them (docs/contract/rest.md, "Processed messages"), for messages of the two kinds that are measured: words and results of tools. */
const processed = async (id: string, limit: number) => {
  const groups: Array<{ readonly role: string; readonly messages: Array<string> }> = []
  for (const row of await rows(id, limit)) {
    const isResult = row.role === "USER" && /^\[\{"type": "tool_result"/.test(row.content)
    const role = isResult ? "ASSISTANT" : row.role
    const last = groups.at(-1)
    const text = messageText(row, id, role)
    if (last?.role === role) last.messages.push(text)
    else groups.push({ role, messages: [text] })
  }
  return {
    body: `[${groups.map(({ messages, role }) => `{"role":"${role}","messages":[${messages.join(",")}],"take_over":false}`).join(",")}]`
  }
}

const list = (limit: number) =>
  query(
    "list",
    `SELECT json_build_object('tasks', (SELECT coalesce(json_agg(${taskJson("t")}), '[]') FROM (SELECT * FROM "Task" ORDER BY "createdAt" DESC, "position" DESC LIMIT $1) t),
        'total', counted.n, 'totalPages', ceil(counted.n / $1::float))::text AS body FROM (SELECT count(*)::int AS n FROM "Task") counted`,
    [limit]
  )

const say = (id: string, text: string) =>
  query(
    "say",
    `WITH m AS (INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId") VALUES ($1, $2, 'USER', now(), $3))
      SELECT ${withFiles} AS body FROM "Task" t WHERE t."id" = $3`,
    [randomUUID(), JSON.stringify([{ type: "text", text }]), id]
  )

const create = ({ description, model }: { readonly description: string; readonly model: unknown }) =>
  query(
    "create",
    `WITH t AS (INSERT INTO "Task" ("id", "description", "model", "updatedAt") VALUES ($1, $2, $3, now()) RETURNING *),
      m AS (INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId") SELECT $4, $5, 'USER', now(), "id" FROM t)
      SELECT ${taskJson("t")}::text AS body FROM t`,
    [randomUUID(), description, model, randomUUID(), JSON.stringify([{ type: "text", text: `${description} ` }])]
  )

const read = async (request: AsyncIterable<Buffer>) => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString())
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost")
  const [, , id = "", ...rest] = url.pathname.split("/")
  const limit = Number(url.searchParams.get("limit") ?? 10)
  if (request.method === "POST") {
    const body = await read(request)
    return send(response, 201, await (rest[0] === "messages" ? say(id, body.message) : create(body)))
  }
  if (rest.join("/") === "messages/processed") return send(response, 200, await processed(id, limit))
  if (rest[0] === "messages") return send(response, 200, await messages(id, limit))
  if (id === "") return send(response, 200, await list(limit))
  return send(response, 200, await query("task", `SELECT ${withFiles} AS body FROM "Task" t WHERE t."id" = $1`, [id]))
})
server.keepAliveTimeout = 65_000
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.stdout.write(`${typeof address === "object" ? address?.port : 0}\n`)
})
process.on("SIGTERM", () => process.exit(0))
