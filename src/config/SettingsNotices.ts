import { Equal } from "effect"
import { editDistance, probablyMeant } from "./Misspelling.ts"
import type { FoundSetting, SettingsSource } from "./SettingsSource.ts"
import { defaultValues, type SettingsSchema, settings } from "./SettingsTable.ts"

/** Names with this prefix are surely meant for this service. */
const ourPrefix = "BYTEBOT_"

/**
 * Without the prefix a name is taken for a misspelling when it has the same letters in another order (PROT: PORT), or when it has three words and
 * is one edit away (ANTHROPIC_API_KEYS). Shorter names one edit away are often those of other programs (PORTS, DATABASE_URI).
 */
const looksLikeOurs = (name: string, known: ReadonlyArray<string>): boolean =>
  name.startsWith(ourPrefix) ||
  known.some(
    (candidate) =>
      sortedLetters(candidate) === sortedLetters(name) ||
      (candidate.split("_").length > 2 && editDistance(name, candidate) === 1)
  )

const sortedLetters = (name: string): string => [...name].sort().join("")

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
    .filter((name) => !known.includes(name) && looksLikeOurs(name, known))
  return [...new Set(unknown)].flatMap((name) => {
    const meant = probablyMeant(name, known)
    return meant === undefined ? [] : [`${name} is not a setting; did you mean ${meant}?`]
  })
}
