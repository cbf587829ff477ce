import { Option } from "effect"

/** As many ids below the newest one are kept as still to come, at most. */
const mostOpen = 100

/** Ids are taken before the commit; after so long (ms) a transaction has ended, one way or the other. */
const openFor = 60_000

/**
 * A watcher's position in the feed of all events. Transactions take their ids before they are committed, so an event may appear after
 * others with higher ids: the position includes the ids that are missing below the newest. As text: `120`, or `120-118.115`.
 */
export class FeedPosition {
  private readonly open = new Map<number, number>()
  private highest: number

  constructor(highest: number, open: Iterable<number>, now: number) {
    this.highest = highest
    for (const id of open) this.open.set(id, now)
  }

  get newest(): number {
    return this.highest
  }

  /** Lower ids that may still come. */
  get missing(): ReadonlyArray<number> {
    return [...this.open.keys()]
  }

  /** The event with this id was passed on; `now` in ms. */
  add(id: number, now: number): void {
    this.open.delete(id)
    if (id > this.highest) {
      for (let between = Math.max(this.highest + 1, id - mostOpen); between < id; between++) this.open.set(between, now)
      this.highest = id
    }
    for (const [missing, since] of this.open) {
      if (now - since <= openFor && this.open.size <= mostOpen) break
      this.open.delete(missing)
    }
  }

  toString(): string {
    return this.open.size === 0 ? String(this.highest) : `${this.highest}-${this.missing.join(".")}`
  }

  /** None for what is no position. */
  static parse(text: string, now: number): Option.Option<FeedPosition> {
    const [, newest = "", open] = /^(\d{1,15})(?:-(\d{1,15}(?:\.\d{1,15}){0,99}))?$/.exec(text) ?? []
    return newest === ""
      ? Option.none()
      : Option.some(new FeedPosition(Number(newest), open === undefined ? [] : open.split(".").map(Number), now))
  }
}
