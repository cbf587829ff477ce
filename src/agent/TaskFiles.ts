import { Clock, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { retryBriefly, transaction } from "../database/DatabaseRetry.ts"
import { type DesktopFailed, Desktops } from "../desktop/Desktops.ts"
import { Caller, everybody } from "../domain/Caller.ts"
import { desktopFileNames } from "../domain/TaskFile.ts"
import { Conversations } from "../messages/Conversations.ts"
import type { Claim } from "../tasks/Claims.ts"
import type { Lease } from "../tasks/Lease.ts"
import { TaskRuns } from "../tasks/TaskRuns.ts"
import { Tasks } from "../tasks/Tasks.ts"
import { leaseValidFor } from "./LeaseAge.ts"

/** How often the writing of a task's files is tried again, all in all, and the pause before the first of them (ms), then twice as long. */
const retries = 4
const firstPause = 500

/** Characters of the reason why a file is missing. */
const longestReason = 300

/** The folder where the task's first message says that they are. */
const folder = "/home/user/Desktop"

/**
 * Writes the task's files to its desktop, but for those that it has. One that can't be written does not end the task: the model is told
 * which are missing and why (docs/contract/agent.md, 2). True where there was something to tell. `checkpoint` is passed before each new try.
 */
export const makeWriteFiles = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const conversations = yield* Conversations
  const desktops = yield* Desktops
  const runs = yield* TaskRuns
  const tasks = yield* Tasks

  /** A file that was written is noted at once, also when the run is interrupted: what a person makes of it then is not overwritten. */
  const write = (lease: Lease, name: string, data: string, count: number | undefined) =>
    Effect.uninterruptibleMask(
      Effect.fnUntraced(function* (restore) {
        const until = (yield* Clock.currentTimeMillis) + leaseValidFor
        yield* restore(runs.confirm(lease))
        yield* desktops.at(lease.desktop).writeFile(`${folder}/${name}`, data, until)
        if (count === undefined) return
        const note = runs.filesWritten(lease, count)
        yield* Effect.catchTag(retryBriefly(note), "DatabaseUnavailable", () => restore(note))
      })
    )

  return Effect.fn("AgentLoop.writeFiles")(function* <E, R>(claim: Claim, checkpoint: Effect.Effect<void, E, R>) {
    const { lease } = claim
    const { files } = yield* Effect.provideService(tasks.get(lease.taskId), Caller, everybody)
    const missing: Array<string> = []
    let retried = 0
    const names = desktopFileNames(files.map(({ name }) => name))
    for (const [index, { data, name }] of files.entries()) {
      if (index < claim.filesWritten) continue
      const file = names[index] ?? name
      const count = missing.length === 0 ? index + 1 : undefined
      for (;;) {
        const failure = yield* write(lease, file, data, count).pipe(
          Effect.as(undefined),
          Effect.catchTag("DesktopFailed", (error: DesktopFailed) => Effect.succeed(error))
        )
        if (failure === undefined) break
        yield* checkpoint
        if (retried === retries) {
          missing.push(`${file}: ${failure.message.slice(0, longestReason)}`)
          break
        }
        yield* Effect.sleep(firstPause * 2 ** retried++)
      }
    }
    if (missing.length === 0) return false
    yield* Effect.logWarning("Files of the task could not be written to the desktop, it goes on without them").pipe(
      Effect.annotateLogs({ missing })
    )
    const note = `${notWritten}\n${missing.join("\n")}`
    yield* conversations
      .appendNote(lease, note)
      .pipe(Effect.andThen(runs.filesWritten(lease, files.length)), transaction(sql))
    return true
  })
})

const notWritten =
  "These files of the task could not be written to the desktop and are missing there. Go on without them if you can, or ask for help:"
