import { AsyncLocalStorage } from "node:async_hooks"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"

/** What a call of Better Auth's met on its way: it keeps the failures of statements to itself. */
const meeting = new AsyncLocalStorage<{ outage: DatabaseUnavailable | undefined }>()

/** Runs a call of Better Auth's; `outage` tells whether it failed because the database is away. */
export const meet = async <A>(
  call: () => Promise<A>
): Promise<{ readonly result: PromiseSettledResult<A>; readonly outage: DatabaseUnavailable | undefined }> => {
  const met = { outage: undefined }
  const [result] = await meeting.run(met, () => Promise.allSettled([call()]))
  return { result, outage: met.outage }
}

/** To be told by the statements of such a call. */
export const noteOutage = (outage: DatabaseUnavailable): void => {
  const met = meeting.getStore()
  if (met !== undefined) met.outage = outage
}
