import { Predicate } from "effect"

/**
 * Exit codes of the command line. 0: done. 1: it could not be done, or the task that was watched has failed. 2: the command was not
 * understood. 3: the service does not answer, or its database is away. 4: a login is missing, or does not allow it. 5: there is no such task.
 */
export const exitCodes = { failed: 1, usage: 2, unavailable: 3, denied: 4, notFound: 5 } as const

const byTag: { readonly [tag: string]: number | undefined } = {
  HttpClientError: exitCodes.unavailable,
  RpcClientError: exitCodes.unavailable,
  DatabaseUnavailable: exitCodes.unavailable,
  Unauthorized: exitCodes.denied,
  Forbidden: exitCodes.denied,
  TaskNotFound: exitCodes.notFound,
  ShowHelp: exitCodes.usage
}

/** The code for a failure, by its tag. */
export const exitCodeOf = (error: unknown): number =>
  (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? byTag[error._tag] : undefined) ??
  exitCodes.failed
