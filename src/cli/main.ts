import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Predicate } from "effect"
import { CliOutput, Command, Flag } from "effect/cli"
import packageJson from "../../package.json" with { type: "json" }
import { connectionFlags } from "./ConnectionFlags.ts"
import { db, migrate } from "./DatabaseCommands.ts"
import { exitCodeOf, exitCodes } from "./ExitCodes.ts"
import { lazily } from "./Lazily.ts"
import { remark } from "./Output.ts"
import { open, task } from "./TaskCommands.ts"
import { user } from "./UserCommands.ts"

const serve = Command.make("serve", {}, () =>
  lazily(
    () => import("./Serve.ts"),
    ({ serve }) => serve
  )
).pipe(Command.withDescription("Run the service, as the settings say (environment, .env)"))

const doctorFlags = {
  ...connectionFlags,
  model: Flag.String("model").pipe(
    Flag.withDescription(
      "Ask this model, as provider/name, three small questions instead: words, a tool call with a picture, the answer to its result"
    ),
    Flag.optional
  )
}

const doctor = Command.make("doctor", doctorFlags, (flags) =>
  lazily(
    () => import("./Doctor.ts"),
    ({ doctor }) => doctor(flags)
  )
).pipe(
  Command.withDescription(
    "Check database, desktops and model keys of the settings here, and the running service, and say what to fix"
  )
)

const demo = Command.make(
  "demo",
  {
    once: Flag.Boolean("once").pipe(Flag.withDescription("End after the tasks; for scripts"), Flag.withDefault(false))
  },
  (flags) =>
    lazily(
      () => import("./Demo.ts"),
      ({ demo }) => demo(flags)
    )
).pipe(
  Command.withDescription(
    "Play three tasks with an emulated model and desktop, and stay for the console: no key, no desktop, no network"
  )
)

const login = Command.make(
  "login",
  { url: connectionFlags.url, email: Flag.String("email").pipe(Flag.withDescription("The account's address")) },
  (flags) =>
    lazily(
      () => import("./Login.ts"),
      ({ login }) => login(flags)
    )
).pipe(
  Command.withDescription("Log in where accounts are on; the password is asked for, or read from a pipe"),
  Command.withExamples([{ command: "bytebot-agent login --email ada@example.org", description: "Log in" }])
)

const suggestion = /\s+Did you mean this\?\s+([\s\S]+)$/

/** An error of usage on one line, in place of the whole help. */
const usageLine = (message: string): string =>
  message
    .replace(suggestion, (_, names: string) => ` (did you mean ${names.trim().split(/\s+/).join(" or ")}?)`)
    .replaceAll(/\s+/g, " ")

const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? remark(
          `${event.errors.map(({ message }) => usageLine(message)).join("; ")}. See: ${event.commandPath.join(" ")} --help`
        )
      : CliOutput.defaultPresenter.present(event)
}

const program = Command.make("bytebot-agent").pipe(
  Command.withDescription(
    "The agent service and its command line. Exit codes: 0 done, 1 failed, 2 not understood, 3 service or database away, 4 login missing or not enough, 5 no such task."
  ),
  Command.withSubcommands([serve, migrate, task, open, doctor, demo, db, user, login]),
  Command.run({ version: packageJson.version }),
  Effect.provide(CliOutput.layerPresenter(presenter)),
  Effect.provide(NodeServices.layer)
)

const hints: { readonly [tag: string]: string | undefined } = {
  HttpClientError: "The service does not answer. Is it running, and is --url right? ",
  Unauthorized: 'The service wants a login: run "bytebot-agent login", or give --token. '
}

/** Failures are told in their words, on stderr; what the command line itself does not understand it has told already. */
const explain = (cause: Cause.Cause<unknown>) => {
  const found = Cause.findErrorOption(cause)
  if (found._tag === "None") return Cause.hasInterruptsOnly(cause) ? Effect.void : remark(Cause.pretty(cause))
  const failure = found.value
  if (exitCodeOf(failure) === exitCodes.usage) return Effect.void
  const hint = Predicate.hasProperty(failure, "_tag") ? hints[String(failure._tag)] : undefined
  return remark(`${hint ?? ""}${failure instanceof Error ? failure.message : Cause.pretty(cause)}`)
}

/** Ctrl-C is how these are ended. */
const runUntilStopped = process.argv[2] === "serve" || (process.argv[2] === "db" && process.argv[3] === "serve")

process.stdout.on("error", () => undefined)
NodeRuntime.runMain(Effect.tapCause(program, explain), {
  disableErrorReporting: true,
  teardown: (exit, onExit) => {
    if (Exit.isSuccess(exit)) return onExit(0)
    if (Cause.hasInterruptsOnly(exit.cause)) return onExit(runUntilStopped ? 0 : 130)
    const failure = Cause.findErrorOption(exit.cause)
    onExit(failure._tag === "Some" ? exitCodeOf(failure.value) : exitCodes.failed)
  }
})
