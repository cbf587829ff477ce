import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
import Anthropic from "@anthropic-ai/sdk"
import pg from "pg"

/**
 * The least agent loop that stores the same rows: the SDK, fetch, and `pg` with prepared statements. It checks nothing, and has no events,
 * handover, limits or logs. `node bench/baseline/loop.ts DATABASE_URL MODEL_URL DESKTOP_URL` prints its port; a POST runs a task to its end.
 */

const [, , databaseUrl = "", modelUrl = "", desktopUrl = ""] = process.argv
const pool = new pg.Pool({ connectionString: databaseUrl, max: 4, options: "-c timezone=UTC" })
const model = new Anthropic({ apiKey: "any", baseURL: modelUrl })

const query = (name: string, text: string, values: ReadonlyArray<unknown>) =>
  pool.query({ name, text, values: [...values] })

const desktop = async (body: unknown): Promise<{ readonly image: string }> => {
  const response = await fetch(`${desktopUrl}/computer-use`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  const answer: { readonly image: string } = JSON.parse(await response.text())
  return answer
}

const store = async (task: string, role: "USER" | "ASSISTANT", content: unknown) => {
  const id = randomUUID()
  await query(
    `message ${role}`,
    `WITH m AS (INSERT INTO "Message" ("id", "content", "role", "updatedAt", "taskId") VALUES ($1, $2, '${role}', now(), $3) RETURNING "id", "taskId"),
      e AS (INSERT INTO "TaskEvent" ("taskId", "kind", "messageId", "createdAt") SELECT "taskId", 'new_message', "id", now() FROM m)
      ${
        role === "ASSISTANT"
          ? `INSERT INTO "ModelCall" ("id", "taskId", "messageId", "purpose", "provider", "model", "inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "durationMs", "createdAt")
              SELECT 'c' || "id", "taskId", "id", 'reply', 'anthropic', 'm', 1, 1, 0, 0, 1, now() FROM m`
          : `DELETE FROM "ToolExecution" USING m WHERE "ToolExecution"."taskId" = m."taskId"`
      }`,
    [id, JSON.stringify(content), task]
  )
  return id
}

const run = async () => {
  const task = randomUUID()
  await query(
    "task",
    `INSERT INTO "Task" ("id", "description", "status", "model", "updatedAt") VALUES ($1, 'go on', 'RUNNING', '{}', now())`,
    [task]
  )
  const messages: Array<Anthropic.MessageParam> = [{ role: "user", content: "Go on and on." }]
  for (;;) {
    const reply = await model.messages.create({ model: "m", max_tokens: 1000, messages })
    const id = await store(task, "ASSISTANT", reply.content)
    const [use] = reply.content
    if (use?.type !== "tool_use" || use.name === "set_task_status") break
    await query(
      "start",
      `INSERT INTO "ToolExecution" ("messageId", "index", "taskId", "epoch", "startedAt") VALUES ($1, 0, $2, 1, now())`,
      [id, task]
    )
    await desktop({ action: "click_mouse", ...Object(use.input) })
    const { image } = await desktop({ action: "screenshot" })
    const source = { type: "base64", media_type: "image/png", data: image } as const
    const result = { type: "tool_result", tool_use_id: use.id, content: [{ type: "image", source }] } as const
    await query("finish", `UPDATE "ToolExecution" SET "finishedAt" = now(), "result" = $2 WHERE "messageId" = $1`, [
      id,
      JSON.stringify(result)
    ])
    await store(task, "USER", [result])
    // As many pictures as the service shows, on average.
    const old = messages.at(-24)
    if (old?.role === "user") old.content = "(an old screenshot)"
    messages.push(
      { role: "assistant", content: reply.content },
      { role: "user", content: [{ ...result, content: [...result.content] }] }
    )
    await query("news", `SELECT "id" FROM "Message" WHERE "taskId" = $1 AND "createdAt" > now()`, [task])
  }
  await query("end", `UPDATE "Task" SET "status" = 'COMPLETED', "completedAt" = now() WHERE "id" = $1`, [task])
}

const server = createServer((_, response) => {
  void run().then(
    () => response.end(),
    (error) => response.writeHead(500).end(String(error))
  )
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.stdout.write(`${typeof address === "object" ? address?.port : 0}\n`)
})
process.on("SIGTERM", () => process.exit(0))
