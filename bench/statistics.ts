/** The value in the middle; 0 of none. */
export const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** Middle, least and most, as JSON and in words. */
export const spread = (values: ReadonlyArray<number>) => ({
  median: median(values),
  least: Math.min(...values),
  most: Math.max(...values)
})

export const inWords = ({ least, median: middle, most }: ReturnType<typeof spread>, digits = 0): string =>
  `${middle.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`
