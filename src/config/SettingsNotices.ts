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

/**
 * Levenshtein distance: how many single characters must be inserted, removed or replaced to get from one text to the
 * other (V. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", 1966).
 */
export const editDistance = (from: string, to: string): number => {
  const target = [...to]
  let previous = Array.from({ length: target.length + 1 }, (_, index) => index)
  for (const [row, character] of [...from].entries()) {
    const current = [row + 1]
    for (const [column, other] of target.entries()) {
      const replaced = (previous[column] ?? 0) + (character === other ? 0 : 1)
      const removed = (previous[column + 1] ?? 0) + 1
      const inserted = (current[column] ?? 0) + 1
      current.push(Math.min(replaced, removed, inserted))
    }
    previous = current
  }
  return previous[target.length] ?? 0
}

/** Names that are more edits apart are different names. */
const mostEdits = 3

/**
 * The known name with the fewest edits from `name`, or one that has all the words of `name` in their order and one more
 * (BYTEBOT_DESKTOP_URL: BYTEBOT_DESKTOP_BASE_URL).
 */
const probablyMeant = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const words = name.split("_")
  const nearest = known
    .map((candidate) => ({ candidate, edits: editDistance(name, candidate) }))
    .filter(({ edits }) => edits <= mostEdits)
    .sort((a, b) => a.edits - b.edits)[0]
  return nearest?.candidate ?? known.find((candidate) => lacksOneWord(words, candidate.split("_")))
}

const lacksOneWord = (words: ReadonlyArray<string>, complete: ReadonlyArray<string>) =>
  complete.some((_, index) => complete.toSpliced(index, 1).join("_") === words.join("_"))
