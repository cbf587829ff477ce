import { Effect } from "effect"
import { Settings } from "../../src/config/Settings.ts"

/** The settings that the given variables make, through the service's own layer. */
export const settingsFrom = (variables: Record<string, string>) =>
  Effect.gen(function* () {
    return yield* Settings
  }).pipe(Effect.provide(Settings.layerFrom(variables)))
