import { Duration } from "effect"
import { replacedWithin } from "../placement/Cluster.ts"

/**
 * Milliseconds for which the database's word that a run owns its task may be acted on. Less than the time after which another replica
 * takes over from one that hangs: a process that is frozen meanwhile acts no more.
 */
export const leaseValidFor = Duration.toMillis(replacedWithin) / 2
