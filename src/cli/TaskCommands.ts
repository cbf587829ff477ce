import { Argument, Command, Flag } from "effect/cli"
import { TaskPriority, TaskStatus } from "../domain/Task.ts"
import { connectionFlags } from "./ConnectionFlags.ts"
import { lazily } from "./Lazily.ts"

/** The commands' words; what they do is in TaskHandlers.ts, which is loaded when one runs. */

const id = Argument.String("id").pipe(
  Argument.withDescription("The task's id, or how it begins (4 characters or more)")
)

const handlers = () => import("./TaskHandlers.ts")

const create = Command.make(
  "create",
  {
    ...connectionFlags,
    description: Argument.String("description").pipe(Argument.withDescription("What is to be done, in plain language")),
    priority: Flag.Literals("priority", TaskPriority.literals).pipe(
      Flag.withDescription("Which tasks go first"),
      Flag.optional
    ),
    desktop: Flag.String("desktop").pipe(Flag.withDescription("Name of the desktop to run on"), Flag.optional),
    files: Flag.File("file", { mustExist: true }).pipe(
      Flag.withDescription("File that is put on the desktop; may be given several times"),
      Flag.atLeast(0)
    ),
    watch: Flag.Boolean("watch").pipe(
      Flag.withDescription("Show its progress until it is over"),
      Flag.withDefault(false)
    )
  },
  (input) => lazily(handlers, ({ create }) => create(input))
).pipe(
  Command.withDescription("Create a task"),
  Command.withExamples([
    { command: 'bytebot-agent task create "Look up the weather" --watch', description: "Create one and watch it" },
    { command: 'bytebot-agent task create "Add up these numbers" --file numbers.csv', description: "With a file" }
  ])
)

const list = Command.make(
  "list",
  {
    ...connectionFlags,
    status: Flag.Literals("status", TaskStatus.literals).pipe(
      Flag.withDescription("Only tasks of this status"),
      Flag.optional
    ),
    limit: Flag.Int("limit").pipe(Flag.withDescription("How many, newest first"), Flag.withDefault(20))
  },
  (input) => lazily(handlers, ({ list }) => list(input))
).pipe(Command.withDescription("List tasks, newest first"))

const show = Command.make("show", { ...connectionFlags, id }, (input) =>
  lazily(handlers, ({ show }) => show(input))
).pipe(Command.withDescription("Show a task: its result or error, files, pictures, and what it cost"))

export const open = Command.make("open", { ...connectionFlags, id: id.pipe(Argument.optional) }, (input) =>
  lazily(handlers, ({ open }) => open(input))
).pipe(Command.withDescription("Open the console, or a task in it, in the browser"))

const watch = Command.make("watch", { ...connectionFlags, id }, (input) =>
  lazily(handlers, ({ watch }) => watch(input))
).pipe(Command.withDescription("Show what has happened and what happens, until the task is over"))

const message = Command.make(
  "message",
  { ...connectionFlags, id, text: Argument.String("text").pipe(Argument.withDescription("What to say to the agent")) },
  (input) => lazily(handlers, ({ message }) => message(input))
).pipe(Command.withDescription("Say something to the agent"))

const control = (name: "takeover" | "resume" | "cancel", description: string) =>
  Command.make(name, { ...connectionFlags, id }, (input) =>
    lazily(handlers, ({ control }) => control(name, input))
  ).pipe(Command.withDescription(description))

/** `bytebot-agent task …`: what one does with tasks, from a terminal or a script. */
export const task = Command.make("task").pipe(
  Command.withDescription("Create, watch and steer tasks of a running service"),
  Command.withSubcommands([
    create,
    list,
    show,
    watch,
    message,
    control("takeover", "Take the desktop over from the agent"),
    control("resume", "Hand the desktop back to the agent"),
    control("cancel", "End the task for good")
  ])
)
