import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Layer, Predicate } from "effect"
import { Command, Flag } from "effect/cli"
import packageJson from "../../package.json" with { type: "json" }
import { status, up } from "../commands/Migrations.ts"
import { Settings } from "../config/Settings.ts"
import { endAtSecondSignal } from "../RunMain.ts"
import * as Service from "../Service.ts"
import { doctor } from "./Doctor.ts"
import { exitCodeOf } from "./ExitCodes.ts"
import { task } from "./TaskCommands.ts"

const serve = Command.make("serve", {}, () =>
  Effect.suspend(() => {
    endAtSecondSignal()
    return Layer.launch(Service.layer.pipe(Layer.provide(Settings.layer)))
  })
).pipe(Command.withDescription("Run the service, as the settings say (environment, .env)"))

const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON, for scripts"), Flag.withDefault(false))
const migrate = Command.make("migrate").pipe(
  Command.withDescription("Look at the database's schema, or bring it up to date"),
  Command.withSubcommands([
    Command.make("status", { json }, ({ json }) =>
      Effect.flatMap(Settings, (settings) => status(settings, json)).pipe(Effect.scoped, Effect.provide(Settings.layer))
    ).pipe(Command.withDescription("Show which migrations the database has")),
    Command.make("up", { json }, ({ json }) =>
      Effect.flatMap(Settings, (settings) => up(settings, json)).pipe(Effect.scoped, Effect.provide(Settings.layer))
    ).pipe(Command.withDescription("Apply those that it lacks"))
  ])
)

const program = Command.make("bytebot-agent").pipe(
  Command.withDescription(
    "The agent service and its command line. Exit codes: 0 done, 1 failed, 2 not understood, 3 service or database away, 4 login missing or not enough, 5 no such task."
  ),
  Command.withSubcommands([serve, migrate, task, doctor]),
  Command.run({ version: packageJson.version }),
  Effect.provide(NodeServices.layer)
)

const isUnreachable = (cause: Cause.Cause<unknown>): boolean => {
  const failure = Cause.findErrorOption(cause)
  return failure._tag === "Some" && Predicate.isTagged(failure.value, "HttpClientError")
}

/** Failures are told in their words, on stderr; what the command line itself does not understand it has told already. */
const explain = (cause: Cause.Cause<unknown>) =>
  Effect.sync(() => {
    if (Cause.hasInterruptsOnly(cause)) return
    const failure = Cause.findErrorOption(cause)
    if (failure._tag === "Some" && exitCodeOf(failure.value) === 2) return
    const words =
      failure._tag === "Some" && failure.value instanceof Error ? failure.value.message : Cause.pretty(cause)
    const hint = isUnreachable(cause) ? "The service does not answer. Is it running, and is --url right? " : ""
    process.stderr.write(`${hint}${words}\n`)
  })

process.stdout.on("error", () => undefined)
NodeRuntime.runMain(Effect.tapCause(program, explain), {
  disableErrorReporting: true,
  teardown: (exit, onExit) => {
    if (Exit.isSuccess(exit)) return onExit(0)
    // Ctrl-C is how a service is stopped, and how one stops watching.
    if (Cause.hasInterruptsOnly(exit.cause)) return onExit(process.argv[2] === "serve" ? 0 : 130)
    const failure = Cause.findErrorOption(exit.cause)
    onExit(failure._tag === "Some" ? exitCodeOf(failure.value) : 1)
  }
})
