import { AsyncLocalStorage } from "node:async_hooks"
import type { DatabaseUnavailable } from "../domain/TaskErrors.ts"

/** The outage during a call of Better Auth, which hides the failures of its statements. */
const meeting = new AsyncLocalStorage<{ outage: DatabaseUnavailable | undefined }>()

/** Runs a call of Better Auth's; `outage` tells whether it failed because the database is away. */
export const meet = async <A>(
  call: () => Promise<A>
): Promise<{ readonly result: PromiseSettledResult<A>; readonly outage: DatabaseUnavailable | undefined }> => {
  const met = { outage: undefined }
  const [result] = await meeting.run(met, () => Promise.allSettled([call()]))
  return { result, outage: met.outage }
}

/** Called by the statements of such a call. */
export const noteOutage = (outage: DatabaseUnavailable): void => {
  const met = meeting.getStore()
  if (met !== undefined) met.outage = outage
}
