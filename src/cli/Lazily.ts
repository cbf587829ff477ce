import { Effect } from "effect"

/** Runs what a module has, loaded when the command runs: `--help` and the other commands do without it. */
export const lazily = <Module, A, E, R>(
  load: () => Promise<Module>,
  run: (module: Module) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.flatMap(Effect.promise(load), run)
