import { Context, Effect, Layer } from "effect"

/** Why the service does not work yet, while it starts. */
export class Startup extends Context.Service<
  Startup,
  {
    /** In words, for answers that say the service is not ready. */
    readonly reason: Effect.Effect<string>
    readonly wait: (reason: string) => Effect.Effect<void>
  }
>()("bytebot/Startup") {
  static readonly layer = Layer.sync(Startup, () => {
    let current = "The service is starting"
    return Startup.of({
      reason: Effect.sync(() => current),
      wait: (reason) =>
        Effect.sync(() => {
          current = reason
        })
    })
  })
}
