import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type Answer, RestService, recordedModels } from "./RestService.ts"

const Task = Schema.Struct({
  id: Schema.String,
  description: Schema.String,
  priority: Schema.String,
  type: Schema.String,
  createdBy: Schema.String,
  scheduledFor: Schema.NullOr(Schema.String),
  model: Schema.Json,
  createdAt: Schema.String
})
const Messages = Schema.Array(Schema.Struct({ content: Schema.Array(Schema.Struct({ text: Schema.String })) }))
const taskOf = ({ text }: Answer) => Schema.decodeUnknownSync(Schema.fromJsonString(Task))(text)
const textsOf = ({ text }: Answer) =>
  Schema.decodeUnknownSync(Schema.fromJsonString(Messages))(text).map(({ content }) => content[0]?.text)

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)
const pick = <A>(index: number, options: ReadonlyArray<A>) => options[index % options.length]

layer(RestService.layer(recordedModels), { excludeTestServices: true })("Requests that come together", (it) => {
  it.effect("concurrent requests create each its own task, as one after the other", () =>
    Effect.gen(function* () {
      const { post, send } = yield* RestService
      const bodyOf = (index: number) => ({
        description: `task "${index}" \\ \ud83d\ude00 \ud800`,
        priority: pick(index, ["LOW", "HIGH", undefined]),
        type: pick(index, ["SCHEDULED", undefined]),
        createdBy: pick(index, ["ASSISTANT", "USER", undefined, undefined]),
        scheduledFor: pick(index, ["2099-01-01T00:00:00.123Z", "2098-06-01T12:00:00+02:00"]),
        model: { provider: "anthropic", name: `m${index}`, title: "M" },
        // Those with files are stored by themselves.
        files: index % 7 === 0 ? [{ name: "a.txt", type: "text/plain", size: 1, base64: "YQ==" }] : undefined
      })
      const alone = yield* Effect.forEach(upTo(30), (index) => post("/tasks", bodyOf(index)))
      const together = yield* Effect.forEach(upTo(30), (index) => post("/tasks", bodyOf(index)), {
        concurrency: "unbounded"
      })
      for (const [index, answer] of together.entries()) {
        assert.strictEqual(answer.status, 201, answer.text)
        const { createdAt, id, ...task } = taskOf(answer)
        const { createdAt: _, id: other, ...same } = taskOf(alone[index] ?? answer)
        assert.deepStrictEqual(task, same)
        assert.notStrictEqual(id, other)
        assert.approximately(Date.parse(createdAt), Date.now(), 60_000)
        const [mine, its] = yield* Effect.forEach([id, other], (each) => send({ path: `/tasks/${each}/messages` }))
        assert.deepStrictEqual(textsOf(mine ?? answer), textsOf(its ?? answer))
      }
      assert.strictEqual(new Set(together.map((answer) => taskOf(answer).id)).size, 30)
    })
  )

  it.effect("concurrent requests add each its own message once, also to the same task", () =>
    Effect.gen(function* () {
      const { post, send } = yield* RestService
      const scheduledFor = "2099-01-01T00:00:00.000Z"
      const ids = yield* Effect.forEach(upTo(3), (index) =>
        Effect.map(post("/tasks", { description: `${index}`, scheduledFor }), (answer) => taskOf(answer).id)
      )
      const answers = yield* Effect.forEach(
        upTo(60),
        (index) => post(`/tasks/${index % 10 === 9 ? "nobody" : pick(index, ids)}/messages`, { message: `m${index}` }),
        { concurrency: "unbounded" }
      )
      for (const [index, answer] of answers.entries()) {
        assert.strictEqual(answer.status, index % 10 === 9 ? 404 : 201, answer.text)
        if (answer.status === 201) assert.strictEqual(taskOf(answer).id, pick(index, ids))
      }
      for (const [place, id] of ids.entries()) {
        const [first, ...texts] = textsOf(yield* send({ path: `/tasks/${id}/messages?limit=100` }))
        assert.strictEqual(first, `${place} `)
        const sent = upTo(60).filter((index) => index % 3 === place && index % 10 !== 9)
        assert.sameMembers(
          texts,
          sent.map((index) => `m${index}`)
        )
      }
    })
  )
})
