import { editDistance, probablyMeant } from "./Misspelling.ts"
import type { SettingsSource } from "./SettingsSource.ts"
import { settings } from "./SettingsTable.ts"

/** Other programs have no names with this prefix. */
const ourPrefix = "BYTEBOT_"

/**
 * Without the prefix, a misspelling has the same letters in another order (PROT: PORT), or three words and is one edit away
 * (ANTHROPIC_API_KEYS). Shorter names one edit away often belong to other programs (PORTS, DATABASE_URI).
 */
const looksLikeOurs = (name: string, known: ReadonlyArray<string>): boolean =>
  name.startsWith(ourPrefix) ||
  known.some(
    (candidate) =>
      sortedLetters(candidate) === sortedLetters(name) ||
      (candidate.split("_").length > 2 && editDistance(name, candidate) === 1)
  )

const sortedLetters = (name: string): string => [...name].sort().join("")

/** A notice for each variable that looks like a misspelt setting. */
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
