import { setFlagsFromString } from "node:v8"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Effect, Exit } from "effect"

/** Failures are for the person who starts the service: their message, no stack trace. Bugs keep theirs. */
const explain = (cause: Cause.Cause<{ readonly message: string }>) =>
  Effect.sync(() => {
    if (Cause.hasInterruptsOnly(cause)) return
    const failure = Cause.findErrorOption(cause)
    process.stderr.write(`${failure._tag === "Some" ? failure.value.message : Cause.pretty(cause)}\n`)
  })

/**
 * V8 lets garbage grow to several times of what is used: the process took 370 MB for what fits in 160 MB, and a limit of the heap would end it.
 * V8 reads both flags at each collection. New space stays as large as the start of the service has made it (16 MB), which costs no time.
 */
export const keepHeapSmall = (): void => {
  setFlagsFromString("--semi-space-growth-factor=1")
  setFlagsFromString("--heap-growing-percent=40")
}

/** One Ctrl-C may arrive twice, from the terminal and from npm; ms. */
const sameSignal = 200

/** A second signal means that its sender does not want to wait: the process ends as if the signal had killed it. */
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
export const runService = (program: Effect.Effect<unknown, { readonly message: string }>): void => {
  endAtSecondSignal()
  keepHeapSmall()
  NodeRuntime.runMain(Effect.tapCause(program, explain), {
    disableErrorReporting: true,
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
  })
}
