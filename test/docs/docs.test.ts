import { readFileSync } from "node:fs"
import { assert, describe, it, layer } from "@effect/vitest"
import { Validator } from "@seriousme/openapi-schema-validator"
import { Effect, Schema } from "effect"
import createClient from "openapi-fetch"
import { Api } from "../../src/api/Api.ts"
import { apiDocument } from "../../src/api/docs/ApiDocument.ts"
import { events, eventsDocument } from "../../src/api/docs/EventsDocument.ts"
import { operations } from "../../src/api/docs/Operations.ts"
import { AccountsStage } from "../accounts/AccountsStage.ts"

const documentedOperations = Object.values(apiDocument.paths).flatMap((item) =>
  Object.values(item).flatMap((operation) => ("operationId" in operation ? [operation] : []))
)

const Recorded = Schema.fromJsonString(
  Schema.Struct({ socket: Schema.Array(Schema.Struct({ event: Schema.String, args: Schema.Array(Schema.Json) })) })
)
const recorded = Schema.decodeUnknownSync(Recorded)(
  readFileSync(new URL("../fixtures/golden/agent-full.json", import.meta.url), "utf8")
)

/** What an event shows of how far its task is: status or role, and which fields have no value. `result` is ours. */
const stageOf = (payload: Schema.Json) =>
  typeof payload === "object" && payload !== null
    ? Object.entries(payload)
        .filter(([name, value]) => name !== "result" && (value === null || name === "status" || name === "role"))
        .map(([name, value]) => `${name}: ${value}`)
    : []

describe("the API's documents", () => {
  it("begin with tasks", () => {
    assert.deepStrictEqual(
      apiDocument.tags.slice(0, 3).map(({ name }) => name),
      ["tasks", "messages", "attachments"]
    )
    assert.strictEqual(Object.keys(apiDocument.paths)[0], "/tasks")
  })

  it.each(events.filter(({ kind }) => kind !== "task_deleted" && kind !== "message_delta"))(
    "show a $kind as the recorded run of a task has one",
    ({ example, kind }) => {
      const stages = recorded.socket.filter(({ event }) => event === kind).map(({ args }) => stageOf(args[0] ?? null))
      assert.deepInclude(stages, stageOf(example))
    }
  )

  it("are OpenAPI 3.1, by a validator of its specification", async () => {
    const { errors, valid } = await new Validator().validate(structuredClone({ ...apiDocument }))
    assert.isTrue(valid, JSON.stringify(errors))
  })

  it("say of every operation what it is for, and show an example of every JSON body", () => {
    const lacking = documentedOperations.flatMap(({ operationId, requestBody, responses, summary }) => {
      const bodies = [
        requestBody?.content,
        ...Object.entries(responses).flatMap(([status, { content }]) =>
          status === "200" || status === "201" ? [content] : []
        )
      ]
      const json = bodies.flatMap((content) =>
        Object.entries(content ?? {}).filter(([type]) => type.startsWith("application/json"))
      )
      return [
        ...(summary === undefined ? [`${operationId}: no summary`] : []),
        ...json.flatMap(([, body]) => ("example" in body ? [] : [`${operationId}: no example`]))
      ]
    })
    assert.deepStrictEqual(lacking, [])
    const known = documentedOperations.map(({ operationId }) => operationId)
    assert.deepStrictEqual(
      Object.keys(operations).filter((id) => !known.includes(id)),
      []
    )
  })

  it("have examples that fit", () => {
    for (const group of Object.values(Api.groups)) {
      for (const endpoint of Object.values(group.endpoints)) {
        const docs = operations[`${group.identifier}.${endpoint.name}`]
        const schemas = [...endpoint.success].filter(
          (schema) => docs?.response !== undefined && Schema.isSchema(schema)
        )
        if (docs?.response === undefined) continue
        const fits = schemas.some((schema) => Schema.decodeUnknownOption(schema)(docs.response)._tag === "Some")
        assert.isTrue(fits, `${group.identifier}.${endpoint.name}`)
      }
    }
    for (const { example, kind, payload } of events) {
      assert.strictEqual(Schema.decodeUnknownOption(payload)(example)._tag, "Some", kind)
    }
    assert.sameMembers(Object.keys(eventsDocument.operations), [
      "task_created",
      "task_updated",
      "new_message",
      "message_delta",
      "task_deleted",
      "join_task",
      "leave_task"
    ])
  })
})

layer(AccountsStage.layer({ AUTH_ENABLED: "false" }), { timeout: "60 seconds", excludeTestServices: true })(
  "documents",
  (test) => {
    test.effect("are served, and load nothing from elsewhere", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        const get = (path: string) =>
          Effect.promise(() =>
            fetch(`${url}${path}`).then(async (answer) => ({
              status: answer.status,
              type: answer.headers.get("content-type"),
              text: await answer.text()
            }))
          )
        const page = yield* get("/docs")
        assert.strictEqual(page.status, 200)
        assert.match(page.type ?? "", /^text\/html/)
        assert.include(page.text, "tasks.create")
        assert.include(page.text, '"showDeveloperTools":"never"')
        assert.match(page.text, /scalar\.com\\"\] \{ display: none \}/)
        assert.notMatch(page.text, /<(?:script|link|img)[^>]+(?:src|href)="https?:/)
        const eventsPage = yield* get("/docs/events")
        for (const { kind } of events) assert.include(eventsPage.text, kind)
        assert.include(eventsPage.text, "event: gap")
        assert.deepStrictEqual(JSON.parse((yield* get("/openapi.json")).text), JSON.parse(JSON.stringify(apiDocument)))
        assert.strictEqual((yield* get("/asyncapi.json")).status, 200)
      })
    )

    test.effect("describe what there is: every documented route answers, and none is left out", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        for (const [path, item] of Object.entries(apiDocument.paths)) {
          for (const method of Object.keys(item)) {
            const answer = yield* Effect.promise(async () => {
              const stop = new AbortController()
              const response = await fetch(`${url}${path.replace(/\{\w+\}/g, "none")}`, {
                method: method.toUpperCase(),
                signal: stop.signal
              })
              const type = response.headers.get("content-type") ?? ""
              const text = type.startsWith("text/event-stream") ? "" : await response.text()
              stop.abort()
              return text
            })
            assert.notMatch(answer, /^\{"message":"Cannot /, `${method} ${path}`)
          }
        }
      })
    )

    test.effect("drive a client that is not ours", () =>
      Effect.gen(function* () {
        const { url } = yield* AccountsStage
        interface Paths {
          "/tasks": {
            post: {
              requestBody: { content: { "application/json": { description: string } } }
              responses: { 201: { content: { "application/json": { id: string; status: string } } } }
            }
          }
          "/tasks/{id}": {
            get: {
              parameters: { path: { id: string } }
              responses: { 200: { content: { "application/json": { id: string; files: Array<unknown> } } } }
            }
          }
        }
        const client = createClient<Paths>({ baseUrl: url })
        const created = yield* Effect.promise(() =>
          client.POST("/tasks", { body: { description: "by openapi-fetch" } })
        )
        const id = created.data?.id ?? ""
        const found = yield* Effect.promise(() => client.GET("/tasks/{id}", { params: { path: { id } } }))
        assert.deepStrictEqual(found.data?.files, [])
        assert.strictEqual(found.data?.id, id)
      })
    )
  }
)
