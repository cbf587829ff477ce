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

/** More than three edits apart, two of our names are rather two different things. */
const mostEdits = 3

/**
 * The known name that was probably meant by `name`: the one with the fewest edits, or one that has all the words of `name`
 * in their order and one more (BYTEBOT_DESKTOP_URL: BYTEBOT_DESKTOP_BASE_URL).
 */
export const probablyMeant = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const words = name.split("_")
  const nearest = known
    .map((candidate) => ({ candidate, edits: editDistance(name, candidate) }))
    .filter(({ edits }) => edits <= mostEdits)
    .sort((a, b) => a.edits - b.edits)[0]
  return nearest?.candidate ?? known.find((candidate) => lacksOneWord(words, candidate.split("_")))
}

const lacksOneWord = (words: ReadonlyArray<string>, complete: ReadonlyArray<string>) =>
  complete.some((_, index) => complete.toSpliced(index, 1).join("_") === words.join("_"))
