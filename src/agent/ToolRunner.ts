import { Context, Effect, Layer, Result, Schema } from "effect"
import { Settings } from "../config/Settings.ts"
import { type Desktop, Desktops } from "../desktop/Desktops.ts"
import {
  pngImage,
  type ToolResultBlock,
  type ToolResultContent,
  type ToolUseBlock,
  text,
  toolResult
} from "../domain/ContentBlock.ts"
import { type Task, TaskModel } from "../domain/Task.ts"
import type { Outcome } from "../tasks/TaskRuns.ts"
import { Tasks } from "../tasks/Tasks.ts"
import { parseToolUse, type ToolCall } from "./Tools.ts"

/** What came of a tool_use: the block to store, and the status that the model asked for with it. */
export interface ToolOutcome {
  readonly result: ToolResultBlock
  readonly outcome: Outcome | undefined
}

/** Carries out tool calls (agent.md, "Tool results"). Whatever goes wrong becomes a result for the model to read. */
export class ToolRunner extends Context.Service<
  ToolRunner,
  {
    /** `key` names the attempt for the desktop. */
    readonly run: (task: Task, desktop: string, use: ToolUseBlock, key: string) => Effect.Effect<ToolOutcome>
  }
>()("bytebot/ToolRunner") {
  static readonly layer = Layer.effect(
    ToolRunner,
    Effect.gen(function* () {
      const { settleDelay } = yield* Settings
      const desktops = yield* Desktops
      const tasks = yield* Tasks

      const act = Effect.fnUntraced(function* (
        desktop: Desktop,
        call: ToolCall & { readonly _tag: "Act" },
        key: string
      ) {
        yield* desktop.perform(call.action, key)
        yield* Effect.sleep(settleDelay)
        const screen = yield* Effect.option(desktop.screenshot)
        const done = text("Tool executed successfully")
        return screen._tag === "Some" ? [done, pngImage(screen.value)] : [done]
      })

      const createTask = Effect.fnUntraced(function* (parent: Task, call: ToolCall & { readonly _tag: "CreateTask" }) {
        const model = yield* Schema.decodeUnknownEffect(TaskModel)(parent.model)
        yield* tasks.create({
          description: call.description,
          type: call.type,
          priority: call.priority,
          scheduledFor: call.scheduledFor,
          createdBy: "ASSISTANT",
          model
        })
        return [text("The task has been created")]
      })

      const answer = Effect.fnUntraced(function* (task: Task, desktop: Desktop, call: ToolCall, key: string) {
        switch (call._tag) {
          case "Act":
            return yield* act(desktop, call, key)
          case "Screenshot":
            return [pngImage(yield* desktop.screenshot)]
          case "CursorPosition": {
            const { x, y } = yield* desktop.cursorPosition
            return [text(`Cursor position: ${x}, ${y}`)]
          }
          case "ReadFile":
            return [documentOf(yield* desktop.readFile(call.path))]
          case "CreateTask":
            return yield* createTask(task, call)
          case "SetStatus":
            return [text(call.description)]
        }
      })

      const run = Effect.fn("ToolRunner.run")(function* (task: Task, desktop: string, use: ToolUseBlock, key: string) {
        yield* Effect.annotateCurrentSpan({
          "task.id": task.id,
          "gen_ai.tool.name": use.name,
          "gen_ai.tool.call.id": use.id
        })
        const parsed = parseToolUse(use)
        if (Result.isFailure(parsed)) return failed(use, parsed.failure)
        const call = parsed.success
        return yield* answer(task, desktops.at(desktop), call, key).pipe(
          Effect.map(
            (content): ToolOutcome => ({
              result: toolResult(use.id, content, call._tag === "SetStatus" ? false : undefined),
              outcome: outcomeOf(call)
            })
          ),
          Effect.catch((error) => Effect.succeed(failed(use, failureText(use, call, error.message)))),
          Effect.tap(({ result }) =>
            Effect.logInfo(result.is_error === true ? "Tool failed" : "Tool done").pipe(
              Effect.annotateLogs({ tool: use.name })
            )
          )
        )
      })

      return ToolRunner.of({ run })
    })
  )
}

const failed = (use: ToolUseBlock, message: string): ToolOutcome => ({
  result: toolResult(use.id, [text(message)], true),
  outcome: undefined
})

const failureText = (use: ToolUseBlock, call: ToolCall, message: string): string => {
  switch (call._tag) {
    case "Screenshot":
      return "ERROR: Failed to take screenshot"
    case "ReadFile":
      return `Error reading file: ${message}`
    default:
      return `Error executing ${use.name} tool: ${message}`
  }
}

const outcomeOf = (call: ToolCall): Outcome | undefined => {
  if (call._tag !== "SetStatus") return undefined
  switch (call.status) {
    case "completed":
      return { status: "COMPLETED", description: call.description }
    case "needs_help":
      return { status: "NEEDS_HELP" }
    case "failed":
      return { status: "FAILED", error: call.description }
  }
}

const documentOf = (file: {
  readonly data: string
  readonly name: string
  readonly size: number
  readonly mediaType: string
}): ToolResultContent => ({
  name: file.name,
  size: file.size,
  type: "document",
  source: { data: file.data, type: "base64", media_type: file.mediaType }
})
