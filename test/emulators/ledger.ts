/**
 * What an emulator saw, in order of arrival. Entries may change afterwards (a reply is sent, a client goes away);
 * `changed` tells those who wait.
 */
export class Ledger<Entry> {
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
