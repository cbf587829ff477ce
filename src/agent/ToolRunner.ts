import { createHash } from "node:crypto"
import { Cause, Context, Effect, Exit, Layer, Result, Schema } from "effect"
import { Settings } from "../config/Settings.ts"
import { type Desktop, Desktops } from "../desktop/Desktops.ts"
import { Caller, everybody } from "../domain/Caller.ts"
import {
  pngImage,
  type ToolResultBlock,
  type ToolResultContent,
  type ToolUseBlock,
  text,
  toolResult
} from "../domain/ContentBlock.ts"
import { type Task, TaskId, TaskModel } from "../domain/Task.ts"
import type { Outcome } from "../tasks/TaskRuns.ts"
import { Tasks } from "../tasks/Tasks.ts"
import { isTool, parseToolUse, type ToolCall } from "./Tools.ts"

/** What came of a tool_use: the block to store, and the status that the model asked for with it. */
export interface ToolOutcome {
  readonly result: ToolResultBlock
  readonly outcome: Outcome | undefined
}

interface Place {
  /** The URL of the desktop. */
  readonly desktop: string
  /** A name for the tool_use, the same in every attempt to carry it out. */
  readonly key: string
  /** How long the run surely owns its task (UTC, ms): no action is sent after that. */
  readonly until: number
}

/** Makes an effect interruptible again. */
type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Carries out tool calls (docs/contract/agent.md, "Tool results"). Whatever goes wrong becomes a result for the model to read. */
export class ToolRunner extends Context.Service<
  ToolRunner,
  {
    /**
     * To be run without interruption, because an action must not be torn apart; what only
     * looks or waits is done under `restore`, so that an interruption need not wait for it.
     */
    readonly run: (task: Task, use: ToolUseBlock, place: Place, restore: Restore) => Effect.Effect<ToolOutcome>
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
        { key, until }: Place,
        restore: Restore
      ) {
        const perform = desktop.perform(call.action, key, until)
        yield* call.action.action === "wait" ? restore(perform) : perform
        const settled = Effect.andThen(Effect.sleep(settleDelay), desktop.screenshot)
        // Without a picture the action is still done, also when the run is interrupted while the screen settles.
        const screen = yield* Effect.exit(restore(settled))
        const done = text("Tool executed successfully")
        return Exit.isSuccess(screen) ? [done, pngImage(screen.value)] : [done]
      })

      const createTask = Effect.fnUntraced(function* (
        parent: Task,
        call: ToolCall & { readonly _tag: "CreateTask" },
        key: string
      ) {
        const model = yield* Schema.decodeUnknownEffect(TaskModel)(parent.model)
        yield* tasks
          .create({
            id: idFrom(key),
            description: call.description,
            type: call.type,
            priority: call.priority,
            scheduledFor: call.scheduledFor,
            createdBy: "ASSISTANT",
            parent: parent.id,
            model
          })
          .pipe(Effect.provideService(Caller, everybody))
        return [text("The task has been created")]
      })

      const answer = Effect.fnUntraced(function* (task: Task, call: ToolCall, place: Place, restore: Restore) {
        const desktop = desktops.at(place.desktop)
        switch (call._tag) {
          case "Act":
            return yield* act(desktop, call, place, restore)
          case "Screenshot":
            return [pngImage(yield* restore(desktop.screenshot))]
          case "CursorPosition": {
            const { x, y } = yield* restore(desktop.cursorPosition)
            return [text(`Cursor position: ${x}, ${y}`)]
          }
          case "ReadFile":
            return [documentOf(yield* restore(desktop.readFile(call.path)))]
          case "CreateTask":
            return yield* createTask(task, call, place.key)
          case "SetStatus":
            return [text(call.description)]
        }
      })

      const run = Effect.fnUntraced(function* (task: Task, use: ToolUseBlock, place: Place, restore: Restore) {
        const parsed = parseToolUse(use)
        if (Result.isFailure(parsed)) return failed(use, parsed.failure)
        const call = parsed.success
        return yield* answer(task, call, place, restore).pipe(
          Effect.map(
            (content): ToolOutcome => ({
              result: toolResult(use.id, content, call._tag === "SetStatus" ? false : undefined),
              outcome: outcomeOf(call)
            })
          ),
          Effect.catch((error) => Effect.succeed(failed(use, failureText(use, call, error.message)))),
          Effect.catchCause((cause) =>
            Cause.hasInterrupts(cause)
              ? Effect.succeed(failed(use, "Interrupted before it was done"))
              : Effect.failCause(cause)
          ),
          Effect.tap(({ result }) =>
            Effect.logInfo(result.is_error === true ? "Tool failed" : "Tool done").pipe(
              Effect.annotateLogs({ tool: use.name })
            )
          )
        )
      }, asTool)

      return ToolRunner.of({ run })
    })
  )
}

/** Its span (OpenTelemetry, "Semantic conventions for GenAI agent spans"). A model may invent names; those of spans must not be endless. */
const asTool = <E, R>(call: Effect.Effect<ToolOutcome, E, R>, task: Task, use: ToolUseBlock) =>
  call.pipe(
    Effect.tap(({ result }) =>
      result.is_error === true ? Effect.annotateCurrentSpan({ "error.type": "tool_error" }) : Effect.void
    ),
    Effect.withSpan(isTool(use.name) ? `execute_tool ${use.name}` : "execute_tool", {
      attributes: {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.name": use.name,
        "gen_ai.tool.call.id": use.id,
        "task.id": task.id
      }
    })
  )

/** The id of the task that a tool_use creates, so that it creates one even if it is carried out twice: a UUID v8 of the key's digest. */
const idFrom = (key: string): TaskId => {
  const digest = createHash("sha256").update(key).digest("hex")
  const variant = ((Number.parseInt(digest.slice(16, 17), 16) & 3) | 8).toString(16)
  const parts = [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `8${digest.slice(13, 16)}`,
    `${variant}${digest.slice(17, 20)}`
  ]
  return TaskId.make([...parts, digest.slice(20, 32)].join("-"))
}

const failed = (use: ToolUseBlock, message: string): ToolOutcome => ({
  result: toolResult(use.id, [text(message)], true),
  outcome: undefined
})

const fileError = "Error reading file: "

const failureText = (use: ToolUseBlock, call: ToolCall, message: string): string => {
  switch (call._tag) {
    case "Screenshot":
      return "ERROR: Failed to take screenshot"
    case "ReadFile":
      // The daemon's own message begins so.
      return message.startsWith(fileError) ? message : `${fileError}${message}`
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
