import { NodeRuntime } from "@effect/platform-node"
import { Cause, Effect, Exit } from "effect"

/** Failures are for the person who starts the program: their message, no stack trace. Bugs keep theirs. */
const explain = (cause: Cause.Cause<{ readonly message: string }>) =>
  Effect.sync(() => {
    if (Cause.hasInterruptsOnly(cause)) return
    const failure = Cause.findErrorOption(cause)
    process.stderr.write(`${failure._tag === "Some" ? failure.value.message : Cause.pretty(cause)}\n`)
  })

const run = (statusWhenStopped: number) => (program: Effect.Effect<unknown, { readonly message: string }>) =>
  NodeRuntime.runMain(Effect.tapCause(program, explain), {
    disableErrorReporting: true,
    teardown: (exit, onExit) => {
      const stopped = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
      onExit(Exit.isSuccess(exit) ? 0 : stopped ? statusWhenStopped : 1)
    }
  })

/** Runs the service until it is told to stop, which is what it waits for. */
export const runService = run(0)

/** Runs a command to its end; being told to stop before that (Ctrl-C) is no success. That nobody reads its words (`| head`) does not end it. */
export const runCommand: typeof runService = (program) => {
  process.stdout.on("error", () => undefined)
  run(130)(program)
}
