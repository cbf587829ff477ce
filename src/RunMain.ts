import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
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

/** One Ctrl-C may arrive twice, from the terminal and from npm; ms. */
const sameSignal = 200

/** Whoever says it twice does not want to wait: the process ends as if the signal had killed it. */
export const endAtSecondSignal = (): void => {
  let first: number | undefined
  for (const [signal, number] of [
    ["SIGINT", 2],
    ["SIGTERM", 15]
  ] as const) {
    process.on(signal, () => {
      first ??= performance.now()
      if (performance.now() - first > sameSignal) process.exit(128 + number)
    })
  }
}

/** Runs the service until it is told to stop, which is what it waits for. */
export const runService: ReturnType<typeof run> = (program) => {
  endAtSecondSignal()
  run(0)(program)
}

/** Runs a command to its end; being told to stop before that (Ctrl-C) is no success. That nobody reads its words (`| head`) does not end it. */
export const runCommand: typeof runService = (program) => {
  process.stdout.on("error", () => undefined)
  run(130)(program)
}
