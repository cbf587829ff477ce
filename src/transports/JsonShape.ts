/** Most values of a message, and its deepest nesting. A new task with 10,000 files has 50,000 values. */
const most = { values: 60_000, levels: 64 }

/**
 * Which limit a JSON text exceeds, found in a single pass without building a value: parsing `[[],[],…]` of 20 MB takes seconds and twenty
 * times the memory, this takes milliseconds. Undefined for other texts, also for malformed ones, which the parser refuses.
 */
export const shapeProblem = (text: string): string | undefined => {
  let values = 0
  let levels = 0
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case 0x22: // "
        index = endOfString(text, index + 1)
        break
      case 0x5b: // [
      case 0x7b: // {
        values += 1
        levels += 1
        break
      case 0x5d: // ]
      case 0x7d: // }
        levels -= 1
        break
      case 0x2c: // ,
        values += 1
        break
    }
    if (values > most.values) return `A message has at most ${most.values} values`
    if (levels > most.levels) return `A message has at most ${most.levels} levels`
  }
  return undefined
}

/** Index of the quote that ends the string which begins at `from`. */
const endOfString = (text: string, from: number): number => {
  for (let end = text.indexOf('"', from); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === 0x5c) escapes += 1
    if (escapes % 2 === 0) return end
  }
  return text.length
}
