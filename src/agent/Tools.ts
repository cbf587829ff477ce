import { DateTime, Option, Result, Schema } from "effect"
import { type ActionName, actionParameters, type DesktopAction } from "../desktop/DesktopAction.ts"
import { shortened, storableInstant } from "../domain/Bounds.ts"
import type { ToolUseBlock } from "../domain/ContentBlock.ts"
import { TaskPriority, TaskType } from "../domain/Task.ts"
import type { ToolDefinition } from "../models/LanguageModel.ts"
import { coerced } from "./Coercion.ts"

/** What a tool_use asks for, once its input is understood. */
export type ToolCall = Request & { readonly changes: Changes }

type Request =
  | { readonly _tag: "Act"; readonly action: DesktopAction }
  | { readonly _tag: "Screenshot" }
  | { readonly _tag: "CursorPosition" }
  | { readonly _tag: "ReadFile"; readonly path: string }
  | { readonly _tag: "SetStatus"; readonly status: "completed" | "needs_help" | "failed"; readonly description: string }
  | {
      readonly _tag: "CreateTask"
      readonly description: string
      readonly type: TaskType | undefined
      readonly priority: TaskPriority | undefined
      readonly scheduledFor: DateTime.Utc | undefined
    }

/**
 * What carrying out a tool changes. The desktop forgets what was done to it, so that must never be repeated; rows of the database are
 * known again; to look, or to say something, changes nothing. Every tool has to say it.
 */
export type Changes = "desktop" | "database" | "nothing"

interface Tool extends ToolDefinition {
  readonly parse: (input: unknown) => Result.Result<ToolCall, string>
}

type Parameters = Schema.Constraint & { readonly DecodingServices: never }

const tool = <S extends Parameters>(
  name: string,
  changes: Changes,
  description: string,
  parameters: S,
  call: (input: S["Type"]) => Request
): Tool => {
  const decode = Schema.decodeUnknownResult(parameters)
  const inputSchema = objectSchema(Schema.toJsonSchemaDocument(parameters).schema)
  return {
    name,
    description,
    inputSchema,
    parse: (input) =>
      Result.mapBoth(decode(coerced(inputSchema, withoutNulls(input))), {
        onSuccess: (parameters): ToolCall => ({ ...call(parameters), changes }),
        onFailure: (error) => error.message
      })
  }
}

/** Effect describes a struct without fields as anything but null; providers want an object with `properties`. */
const objectSchema = (schema: ToolDefinition["inputSchema"]): ToolDefinition["inputSchema"] =>
  "properties" in schema ? schema : { type: "object", properties: {} }

/** Models write null for parameters that they leave out. */
const withoutNulls = (input: unknown): unknown =>
  typeof input === "object" && input !== null && !Array.isArray(input)
    ? Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null))
    : (input ?? {})

const decodeParameters = Schema.decodeUnknownSync(Schema.Record(Schema.String, Schema.Json))

/** A tool that is an action of the desktop, parameter by parameter. */
const actionTool = (action: ActionName, description: string): Tool =>
  tool(`computer_${action}`, "desktop", description, actionParameters[action], (parameters) => ({
    _tag: "Act",
    action: { action, parameters: decodeParameters(parameters) }
  }))

const isSensitive = Schema.optionalKey(
  Schema.Boolean.annotate({ description: "True for passwords and the like: the text is kept out of logs" })
)

const FreeCase = <L extends ReadonlyArray<string>>(literals: Schema.Literals<L>) =>
  Schema.optionalKey(
    Schema.String.check(
      Schema.makeFilter(
        (value) => Schema.is(literals)(value.toUpperCase()) || `expected one of ${literals.literals.join(", ")}`
      )
    )
  )

const upperOf = <L extends ReadonlyArray<string>>(
  literals: Schema.Literals<L>,
  value: string | undefined
): L[number] | undefined => {
  const upper = value?.toUpperCase()
  return Schema.is(literals)(upper) ? upper : undefined
}

/** Characters; a path as long as Linux has them (PATH_MAX). */
const longest = { description: 100_000, path: 4_096, problem: 1_000 }

/** The instant that a model's date stands for, if it can be stored. */
const instantOf = (date: string): Option.Option<DateTime.Utc> =>
  Option.flatMap(DateTime.make(Date.parse(date)), storableInstant)

const tools: ReadonlyArray<Tool> = [
  actionTool("move_mouse", "Move the mouse pointer."),
  actionTool("trace_mouse", "Move the mouse pointer along a path."),
  actionTool("click_mouse", "Click, at the coordinates or where the pointer is."),
  actionTool("press_mouse", "Press or release a mouse button."),
  actionTool("drag_mouse", "Drag along a path with a mouse button held down."),
  actionTool("scroll", "Turn the mouse wheel at the coordinates."),
  actionTool(
    "type_keys",
    "Press keys together, as for a shortcut, e.g. LeftControl and c. Key names as in the instructions."
  ),
  actionTool("press_keys", "Hold keys down, or release them."),
  tool(
    "computer_type_text",
    "desktop",
    "Type a short text key by key, US keyboard only. Use computer_paste_text for long texts and other characters.",
    Schema.Struct({ ...actionParameters.type_text.fields, isSensitive }),
    ({ isSensitive: _, ...parameters }) => ({ _tag: "Act", action: { action: "type_text", parameters } })
  ),
  tool(
    "computer_paste_text",
    "desktop",
    "Insert a text of any length and any characters through the clipboard.",
    Schema.Struct({ ...actionParameters.paste_text.fields, isSensitive }),
    ({ text }) => ({ _tag: "Act", action: { action: "paste_text", parameters: { text } } })
  ),
  actionTool("wait", "Wait, for example for a page to load."),
  tool("computer_screenshot", "nothing", "See the screen as it is now.", Schema.Struct({}), () => ({
    _tag: "Screenshot"
  })),
  actionTool("application", "Open an application, or bring it to the front."),
  tool("computer_cursor_position", "nothing", "Where the mouse pointer is.", Schema.Struct({}), () => ({
    _tag: "CursorPosition"
  })),
  tool(
    "set_task_status",
    "nothing",
    "End your work on the task: completed when it is done and checked, needs_help when only a person can go on, failed when it can't be done.",
    Schema.Struct({
      status: Schema.Literals(["completed", "needs_help", "failed"]),
      description: Schema.String.check(Schema.isMaxLength(longest.description)).annotate({
        description: "The result, or what is needed from the person, or why it failed"
      })
    }),
    (input) => ({ _tag: "SetStatus", ...input })
  ),
  tool(
    "create_task",
    "database",
    "Create another task, to be worked on after this one or at a given time.",
    Schema.Struct({
      description: Schema.NonEmptyString.check(Schema.isMaxLength(longest.description)),
      type: FreeCase(TaskType).annotate({ description: "IMMEDIATE or SCHEDULED" }),
      scheduledFor: Schema.optionalKey(
        Schema.String.check(
          Schema.makeFilter(
            (value) =>
              Option.isSome(instantOf(value)) || "expected an ISO 8601 date and time, in the years from 1 to 9999"
          )
        ).annotate({ description: "ISO 8601 date and time for a SCHEDULED task" })
      ),
      priority: FreeCase(TaskPriority).annotate({ description: "LOW, MEDIUM, HIGH or URGENT" })
    }),
    (input) => ({
      _tag: "CreateTask",
      description: input.description,
      type: upperOf(TaskType, input.type),
      priority: upperOf(TaskPriority, input.priority),
      scheduledFor: input.scheduledFor === undefined ? undefined : Option.getOrUndefined(instantOf(input.scheduledFor))
    })
  ),
  tool(
    "computer_read_file",
    "nothing",
    "Read a file of the desktop; its content comes back as a document.",
    Schema.Struct({
      path: Schema.NonEmptyString.check(
        Schema.isMaxLength(longest.path),
        // The daemon puts the path between double quotes for a shell (docs/contract/desktop.md).
        Schema.makeFilter(
          (path) => !/["$`\p{Cc}]/u.test(path) || "expected a path without quotes, $, backquotes and control characters"
        )
      ).annotate({ description: "Absolute path" })
    }),
    ({ path }) => ({ _tag: "ReadFile", path })
  )
]

/** All tools, in the order in which they are offered, for a desktop with these applications. */
export const toolDefinitions = (applications: ReadonlyArray<string>): ReadonlyArray<ToolDefinition> =>
  tools.map(({ description, inputSchema, name }) => ({
    name,
    description,
    inputSchema: name === applicationTool ? withChoice(inputSchema, "application", applications) : inputSchema
  }))

const applicationTool = "computer_application"

const withChoice = (
  schema: ToolDefinition["inputSchema"],
  property: string,
  choices: ReadonlyArray<string>
): ToolDefinition["inputSchema"] => ({
  ...schema,
  properties: { ...schema.properties, [property]: { type: "string", enum: choices } }
})

const byName = new Map(tools.map((one) => [one.name, one]))

/** Some servers leave a prefix of OpenAI's format, or marks of Harmony, at the name. */
const toolOf = (name: string): Tool | undefined =>
  byName.get(name) ?? byName.get(name.replace(/^functions\./, "").replace(/<\|.*$/s, ""))

/** Whether there is a tool of that name. */
export const isTool = (name: string): boolean => toolOf(name) !== undefined

/** What a tool_use asks for, or in words for the model why it can't be understood. */
export const parseToolUse = (block: ToolUseBlock): Result.Result<ToolCall, string> => {
  const known = toolOf(block.name)
  if (known === undefined) return Result.fail(`There is no tool named ${block.name}`)
  if (typeof block.input === "string") {
    return Result.fail(
      `The input of ${block.name} does not fit: it is not a JSON object but ${shortened(block.input, longest.problem)}`
    )
  }
  return Result.mapError(
    known.parse(block.input),
    (problem) => `The input of ${block.name} does not fit: ${shortened(problem, longest.problem)}`
  )
}

/** What carrying out a tool_use changes; one that can't be understood is not carried out. */
export const changedBy = (block: ToolUseBlock): Changes => {
  const parsed = parseToolUse(block)
  return Result.isFailure(parsed) ? "nothing" : parsed.success.changes
}
