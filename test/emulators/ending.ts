import { afterEach } from "vitest"

/** A function that registers what ends with the current test, the last one first. */
export const endsWithTest = (): ((end: () => unknown) => void) => {
  const ends: Array<() => unknown> = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  return (end) => void ends.push(end)
}

/** What the promise rejects with. */
export const caught = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then(
    () => {
      throw new Error("expected a failure")
    },
    (error: unknown) => error
  )
