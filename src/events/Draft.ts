import type { MessageDelta } from "../domain/MessageDelta.ts"
import { piecesOf } from "./DraftPieces.ts"

type Told = Omit<MessageDelta, "taskId">

/** The message that a model is writing, and how much of it was told. `tell` gets its deltas, `later` is called when there is something to flush. */
export class Draft {
  private heard: Array<Pick<MessageDelta, "kind" | "text">> = []
  private index = 0
  private readonly tell: (delta: Told) => void
  private readonly later: (draft: Draft) => void

  constructor(tell: (delta: Told) => void, later: (draft: Draft) => void) {
    this.tell = tell
    this.later = later
  }

  readonly hear = (kind: MessageDelta["kind"], text: string): void => {
    if (text === "") return
    this.heard.push({ kind, text })
    this.later(this)
  }

  /** Tells what was heard since the last time. */
  flush(): void {
    for (const piece of piecesOf(this.heard.splice(0))) this.tell({ ...piece, index: this.index++ })
  }

  /** What was heard so far is void. */
  discard(): void {
    const isShown = this.index > 0
    this.restart()
    if (isShown) this.tell({ index: 0, kind: "text", text: "" })
  }

  /** The message is complete and about to be stored: watchers have all of it. */
  keep(): void {
    this.flush()
    this.restart()
  }

  private restart(): void {
    this.heard = []
    this.index = 0
  }
}
