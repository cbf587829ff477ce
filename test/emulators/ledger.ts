import type { ServerResponse } from "node:http"

/** The end of a request: ms since the emulator started; `aborted`: the connection ended before the answer was complete. */
export interface Ending {
  endedAt: number | null
  aborted: boolean
}

/** The requests to an emulator, in order of arrival. Entries may change afterwards, as a reply is sent or a client leaves. */
export class Ledger<Entry extends Ending> {
  readonly entries: Array<Entry> = []
  readonly #startedAt = performance.now()
  readonly #watchers = new Set<() => void>()

  /** Milliseconds since the emulator started; finer than one, so that what follows each other does not seem to overlap. */
  elapsed(): number {
    return performance.now() - this.#startedAt
  }

  add(entry: Entry): Entry {
    this.entries.push(entry)
    this.changed()
    return entry
  }

  changed(): void {
    for (const watcher of [...this.#watchers]) watcher()
  }

  /** Notes the end of the entry's response; the signal is aborted when the client leaves before. */
  follow(entry: Entry, response: ServerResponse): AbortSignal {
    const controller = new AbortController()
    const end = () => {
      entry.endedAt ??= this.elapsed()
      this.changed()
    }
    response.once("finish", end)
    response.once("close", () => {
      if (response.writableFinished) return
      entry.aborted = true
      end()
      controller.abort()
    })
    return controller.signal
  }

  clear(): void {
    this.entries.length = 0
  }

  /**
   * Resolves with the first value of `find` that is neither undefined nor false, looking now and after every change;
   * rejects after `timeoutMs` (20000).
   */
  waitFor<A>(find: (entries: ReadonlyArray<Entry>) => A | undefined | false, timeoutMs = 20_000): Promise<A> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer)
        this.#watchers.delete(look)
      }
      const look = () => {
        try {
          const found = find(this.entries)
          if (found === undefined || found === false) return
          stop()
          resolve(found)
        } catch (error) {
          stop()
          reject(error)
        }
      }
      const timer = setTimeout(() => {
        stop()
        reject(new Error(`not seen within ${timeoutMs} ms; the ledger has ${this.entries.length} entries`))
      }, timeoutMs)
      this.#watchers.add(look)
      look()
    })
  }
}
