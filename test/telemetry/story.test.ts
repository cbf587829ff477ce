import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { SpanRecord } from "../emulators/collector.ts"
import type { ReplyBlock } from "../emulators/modelReplies.ts"
import { decodeTask } from "../support/RestClient.ts"
import { command, createTask, Stage, untilStatus } from "../support/Stage.ts"
import { collected } from "./TracedStage.ts"
import { drawn } from "./traces.ts"

/** What a person sees in the traces of tasks. */

const click: ReplyBlock = {
  type: "tool_use",
  id: "call-1",
  name: "computer_click_mouse",
  input: { button: "left", clickCount: 1 }
}
const ends = (status: string): ReplyBlock => ({
  type: "tool_use",
  id: "call-2",
  name: "set_task_status",
  input: { status, description: "done" }
})

const remote = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }

/** Creates a task as part of a trace that began elsewhere. */
const createWithin = (traceparent: string) =>
  Effect.gen(function* () {
    const { url } = yield* Stage
    const answer = yield* Effect.promise(() =>
      fetch(`${url}/tasks`, {
        method: "POST",
        headers: { "content-type": "application/json", traceparent },
        body: JSON.stringify({ description: "story" })
      }).then((response) => response.json())
    )
    return decodeTask(answer).id
  })

const named = (spans: ReadonlyArray<SpanRecord>, name: string): SpanRecord => {
  const span = spans.find((one) => one.name === name)
  assert.isDefined(span, `a span ${name}`)
  return span
}

/** How the catalog of models comes up to date is another story. */
const isAside = ({ name }: SpanRecord) => name === "ModelCatalog.default"

for (const protocol of ["http/protobuf", "http/json"]) {
  it.live(
    `a task's story can be read in its trace (${protocol})`,
    () =>
      Effect.gen(function* () {
        const { collector, result } = yield* collected({ OTEL_EXPORTER_OTLP_PROTOCOL: protocol }, () =>
          Effect.gen(function* () {
            const { desktop, model } = yield* Stage
            model.enqueue({ content: [click] }, { content: [ends("completed")] })
            const id = yield* createWithin(`00-${remote.traceId}-${remote.spanId}-01`)
            yield* untilStatus(id, "COMPLETED")
            return { id, desktop: desktop.requests.flatMap(({ headers }) => headers.traceparent ?? []) }
          })
        )
        assert.deepStrictEqual(drawn(collector.spans, remote.traceId, isAside), [
          "POST /tasks",
          "  Tasks.create",
          "    bytebot",
          "    invoke_agent bytebot-agent",
          "      Conversations.load",
          "        bytebot",
          "        bytebot",
          "      AgentLoop.writeFiles",
          "        Tasks.get",
          "          bytebot",
          "      Usage.spent",
          "        bytebot",
          "      AgentLoop.iterate",
          "        ModelCalls.reply",
          "          chat claude-opus-5-5",
          "        Conversations.appendReply",
          "          bytebot",
          "        AgentLoop.runTools",
          "          Conversations.startTool",
          "            bytebot",
          "          execute_tool computer_click_mouse",
          "            Desktop.request",
          "              POST",
          "            Desktop.request",
          "              POST",
          "          Conversations.finishLastTool",
          "            bytebot",
          "        Conversations.since",
          "          bytebot",
          "      AgentLoop.iterate",
          "        ModelCalls.reply",
          "          chat claude-opus-5-5",
          "        Conversations.appendReply",
          "          bytebot",
          "        AgentLoop.runTools",
          "          execute_tool set_task_status",
          "          sql.transaction",
          "            Conversations.appendResults",
          "              bytebot",
          "            TaskRuns.finish",
          "              bytebot",
          "      AgentLoop.settle",
          "        TaskRuns.controlState",
          "          bytebot",
          "        Conversations.load",
          "          bytebot",
          "          bytebot"
        ])
        const own = collector.spans.filter(({ traceId }) => traceId === remote.traceId)
        assert.strictEqual(named(own, "POST /tasks").parentId, remote.spanId)
        const chat = named(own, "chat claude-opus-5-5").attributes
        assert.strictEqual(chat["gen_ai.operation.name"], "chat")
        assert.strictEqual(chat["gen_ai.provider.name"], "anthropic")
        assert.strictEqual(chat["gen_ai.request.model"], "claude-opus-5-5")
        assert.isAbove(Number(chat["gen_ai.usage.input_tokens"]), 0)
        assert.isAbove(Number(chat["gen_ai.usage.output_tokens"]), 0)
        const tool = named(own, "execute_tool computer_click_mouse").attributes
        assert.strictEqual(tool["gen_ai.operation.name"], "execute_tool")
        assert.strictEqual(tool["gen_ai.tool.call.id"], "call-1")
        assert.strictEqual(named(own, "invoke_agent bytebot-agent").attributes["gen_ai.conversation.id"], result.id)

        // The desktop hears of the span that asks it.
        const posts = own.filter(({ name, kind }) => name === "POST" && kind === 3)
        assert.isAbove(posts.length, 0)
        for (const { spanId } of posts) {
          assert.include(result.desktop, `00-${remote.traceId}-${spanId}-01`)
        }
        assert.deepInclude(collector.resources[0], { "service.name": "bytebot-agent" })
      }).pipe(Effect.scoped),
    60_000
  )
}

it.live(
  "a task that is handed back goes on in the trace of that request, linked to the one before",
  () =>
    Effect.gen(function* () {
      const { collector } = yield* collected({}, () =>
        Effect.gen(function* () {
          const { model } = yield* Stage
          model.enqueue({ content: [ends("needs_help")] }, { content: [ends("completed")] })
          const id = yield* createTask("two runs")
          yield* untilStatus(id, "NEEDS_HELP")
          assert.strictEqual(yield* command(id, "resume"), 200)
          yield* untilStatus(id, "COMPLETED")
        })
      )
      const create = named(collector.spans, "POST /tasks")
      const resume = named(collector.spans, "POST /tasks/:id/resume")
      const [first, second, ...more] = collector.spans
        .filter(({ name }) => name === "invoke_agent bytebot-agent")
        .sort((a, b) => Number(a.start - b.start))
      assert.deepStrictEqual(more, [])
      assert.notStrictEqual(create.traceId, resume.traceId)
      assert.deepInclude(first, { traceId: create.traceId, links: [] })
      assert.strictEqual(second?.traceId, resume.traceId)
      assert.deepStrictEqual(
        second?.links.map(({ traceId }) => traceId),
        [create.traceId]
      )
    }).pipe(Effect.scoped),
  60_000
)
