import { Equal } from "effect"
import { probablyMeant } from "./Misspelling.ts"
import type { FoundSetting, SettingsSource } from "./SettingsSource.ts"
import { defaultValues, type SettingsSchema, settings } from "./SettingsTable.ts"

/** Only names with our prefix are surely meant for us. */
const ourPrefix = "BYTEBOT_"

/** What to tell about settings that differ from their default and have no effect. */
export const withoutEffect = (
  values: typeof SettingsSchema.Type,
  found: ReadonlyMap<string, FoundSetting>
): ReadonlyArray<string> =>
  settings.flatMap((row) => {
    const given = found.get(row.field)
    const { meanwhile } = row
    if (meanwhile === undefined || given === undefined) return []
    return Equal.equals(values[row.field], defaultValues[row.field]) ? [] : [`${given.name} ${meanwhile}.`]
  })

/** What to tell about variables that look like misspelt settings. */
export const misspelt = (sources: ReadonlyArray<SettingsSource>): ReadonlyArray<string> => {
  const known = settings.flatMap(({ name, aliases }) => [name, ...aliases])
  const unknown = sources
    .flatMap(({ variables }) => Object.keys(variables))
    .filter((name) => name.startsWith(ourPrefix) && !known.includes(name))
  return [...new Set(unknown)].flatMap((name) => {
    const meant = probablyMeant(name, known)
    return meant === undefined ? [] : [`${name} is not a setting; did you mean ${meant}?`]
  })
}
