/**
 * How far below the newest id an event may still become visible. Ids are taken before the commit, so a slow transaction
 * shows its event after others with higher ids; nothing here keeps one open for as long as five thousand others take.
 */
const overlap = 5_000

/** Which events were passed on, so that a new connection to the database brings what was missed and nothing twice. */
export class DeliveredEvents {
  private readonly ids = new Set<number>()
  private highest = 0

  /** The highest id so far; 0 when there is none. */
  get newest(): number {
    return this.highest
  }

  /** Events above this id count as missed unless they were passed on. */
  get floor(): number {
    return Math.max(0, this.highest - overlap)
  }

  has(id: number): boolean {
    return this.ids.has(id)
  }

  add(id: number): void {
    this.ids.add(id)
    this.highest = Math.max(this.highest, id)
    if (this.ids.size > 2 * overlap) this.forgetOld()
  }

  private forgetOld(): void {
    for (const id of this.ids) if (id <= this.floor) this.ids.delete(id)
  }
}

/** As many of the newest ids as `DeliveredEvents` can ask for again. */
export const remembered = overlap
