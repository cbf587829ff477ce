import { Effect, Schema } from "effect"
import { io } from "socket.io-client"

const decodeMessage = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))
const decodeMessages = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ id: Schema.String })))
const decodeTask = Schema.decodeUnknownSync(Schema.Struct({ status: Schema.String }))

/** One connection of the web UI: what it read when it began, and what it was told from then on. */
interface Visit {
  readonly read: Array<string>
  readonly told: Array<string>
  readonly status: Array<string>
}

/** What the web UI knows of a task: on every connection it joins the task's room, reads what there is, and listens. */
export interface Watcher {
  readonly visits: ReadonlyArray<Visit>
}

/** Watches the task at `url`, across restarts of the service, until the scope closes. */
export const watch = (url: string, id: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const visits: Array<Visit> = []
        const socket = io(url, { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100 })
        const read = async (visit: Visit) => {
          await socket.timeout(5_000).emitWithAck("join_task", id)
          const [task, messages] = await Promise.all(
            [`/tasks/${id}`, `/tasks/${id}/messages?limit=10000`].map(async (path): Promise<unknown> => {
              const response = await fetch(`${url}${path}`)
              return response.json()
            })
          )
          visit.status.unshift(decodeTask(task).status)
          visit.read.push(...decodeMessages(messages).map((message) => message.id))
        }
        socket.on("connect", () => {
          const visit: Visit = { read: [], told: [], status: [] }
          visits.push(visit)
          // A service without its database has nothing to tell yet; one that dies meanwhile is visited again.
          const again = () => {
            if (socket.connected && visits.at(-1) === visit) read(visit).catch(() => setTimeout(again, 100))
          }
          again()
        })
        socket.on("new_message", (message: unknown) => visits.at(-1)?.told.push(decodeMessage(message).id))
        socket.on("task_updated", (task: unknown) => visits.at(-1)?.status.push(decodeTask(task).status))
        return { socket, visits }
      }),
      ({ socket }) => Effect.sync(() => socket.disconnect())
    ),
    ({ visits }): Watcher => ({ visits })
  )

/** What is wrong with what a watcher knows, given the ids of the task's messages in their order; empty when it knows all. */
export const gapsOf = ({ visits }: Watcher, messages: ReadonlyArray<string>, status: string): ReadonlyArray<string> => {
  const last = visits.at(-1)
  if (last === undefined) return ["the watcher never got a connection"]
  const known = new Set([...last.read, ...last.told])
  return [
    ...messages.filter((id) => !known.has(id)).map((id) => `the watcher missed message ${messages.indexOf(id)}`),
    ...(last.status.at(-1) === status ? [] : [`the watcher last saw ${last.status.at(-1)}`]),
    ...visits.flatMap(({ told }) => [
      ...told
        .filter((id, index) => told.indexOf(id) !== index)
        .map((id) => `message ${messages.indexOf(id)} came twice`),
      ...told
        .filter((id, index) => index > 0 && messages.indexOf(told[index - 1] ?? "") > messages.indexOf(id))
        .map((id) => `message ${messages.indexOf(id)} came after a later one`)
    ])
  ]
}
