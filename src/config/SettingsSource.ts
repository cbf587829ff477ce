import { resolve } from "node:path"
import { parseEnv } from "node:util"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem } from "effect"
import { settings } from "./SettingsTable.ts"

/** One place that settings come from, and its variables. */
export interface SettingsSource {
  /** Where that is, for messages: `in .env`. */
  readonly place: string
  readonly variables: Readonly<Record<string, string | undefined>>
}

/** A value as it was given, trimmed. */
export interface FoundSetting {
  /** The setting's name or the alias that was used. */
  readonly name: string
  readonly place: string
  readonly text: string
}

/** The variables of this process. */
export const environment: Effect.Effect<SettingsSource> = Effect.sync(() => ({
  place: "in the environment",
  variables: process.env
}))

/**
 * The variables of the file `.env` in `folder`: none when there is no such file. Fails with PlatformError when it is
 * there and cannot be read.
 */
export const dotEnvFile = Effect.fn("SettingsSource.dotEnvFile")(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const content = yield* files.readFileString(resolve(folder, ".env")).pipe(
    Effect.catchIf(
      ({ reason }) => reason._tag === "NotFound",
      () => Effect.succeed("")
    )
  )
  const source: SettingsSource = { place: "in .env", variables: parseEnv(content) }
  return source
}, Effect.provide(NodeFileSystem.layer))

/**
 * What is set, by field. The first source wins, whichever of its names a setting has there; within a source the name goes
 * before the aliases. Blank values count as unset.
 */
export const findSettings = (sources: ReadonlyArray<SettingsSource>): ReadonlyMap<string, FoundSetting> =>
  new Map(
    settings.flatMap(({ field, name, aliases }) => {
      const found = sources
        .flatMap(({ place, variables }) =>
          [name, ...aliases].map((used) => ({ name: used, place, text: variables[used]?.trim() ?? "" }))
        )
        .find(({ text }) => text !== "")
      return found === undefined ? [] : [[field, found]]
    })
  )
