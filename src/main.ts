import { NodeRuntime } from "@effect/platform-node"
import { Cause, Effect, Exit, Layer } from "effect"
import { Settings } from "./config/Settings.ts"
import * as Service from "./Service.ts"

/** Failures to start are for the person who starts: their message, no stack trace. Bugs keep theirs. */
const explain = (cause: Cause.Cause<{ readonly message: string }>) =>
  Effect.sync(() => {
    if (Cause.hasInterruptsOnly(cause)) return
    const failure = Cause.findErrorOption(cause)
    process.stderr.write(`${failure._tag === "Some" ? failure.value.message : Cause.pretty(cause)}\n`)
  })

Layer.launch(Service.layer.pipe(Layer.provide(Settings.layer))).pipe(
  Effect.tapCause(explain),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    // Being told to stop is no failure.
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
  })
)
