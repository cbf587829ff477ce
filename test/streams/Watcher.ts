import { Effect } from "effect"
import { EventSource } from "eventsource"
import { until } from "../support/Waiting.ts"

export interface Seen {
  readonly id: string
  readonly event: string
  readonly data: unknown
}

const kinds = ["task_created", "task_updated", "new_message", "message_delta", "task_deleted", "gap"]

/** A client that is not ours, and what it got, oldest first. */
export const watch = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const seen: Array<Seen> = []
      const source = new EventSource(url, {
        fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } })
      })
      for (const kind of kinds) {
        source.addEventListener(kind, ({ data, lastEventId }) =>
          seen.push({ id: lastEventId, event: kind, data: JSON.parse(String(data)) })
        )
      }
      return { source, seen }
    }),
    ({ source }) => Effect.sync(() => source.close())
  ).pipe(
    Effect.tap(({ source }) =>
      until(
        `${url} is open`,
        Effect.sync(() => (source.readyState === EventSource.OPEN ? true : undefined))
      )
    )
  )

export const untilSeen = (seen: ReadonlyArray<Seen>, count: number) =>
  until(
    `${count} events`,
    Effect.sync(() => (seen.length >= count ? true : undefined))
  )
