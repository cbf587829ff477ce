import type { AnsweredCall, Conversation, Entry } from "../../domain/Conversation.ts"
import type { ModelReply } from "../../models/LanguageModel.ts"
import type { Spent } from "../../tasks/Usage.ts"
import type { ToolOutcome } from "../ToolRunner.ts"

/** What happened: how a command ended, or why it did not. */
export type Observation =
  | { readonly _tag: "Loaded"; readonly conversation: Conversation }
  /** What is known of each tool of a reply that was left open. */
  | { readonly _tag: "Recalled"; readonly answers: ReadonlyArray<ToolOutcome | undefined> }
  /** `isTold`: a message says which of them are missing. */
  | { readonly _tag: "FilesWritten"; readonly isTold: boolean }
  | { readonly _tag: "Arrived" }
  | { readonly _tag: "Counted"; readonly spent: Spent }
  /** The run still owns its task and its desktop answers. */
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Nudged"; readonly entry: Entry }
  | {
      readonly _tag: "Replied"
      readonly content: ModelReply["content"]
      readonly call: AnsweredCall
      readonly isCrowded: boolean
    }
  /** The conversation does not fit into the context window of the task's model. */
  | { readonly _tag: "TooLong"; readonly message: string }
  | { readonly _tag: "ModelFailed"; readonly message: string }
  | { readonly _tag: "ReplyStored"; readonly entry: Entry }
  | {
      readonly _tag: "Summarised"
      readonly summary: { readonly id: string; readonly content: string }
      readonly call: AnsweredCall
    }
  | { readonly _tag: "SummaryFailed"; readonly message: string }
  /** `stored`: the message with the results of the whole batch, where it was stored along with this one. */
  | { readonly _tag: "ToolDone"; readonly answer: ToolOutcome; readonly stored: Entry | undefined }
  | { readonly _tag: "ResultsStored"; readonly entry: Entry }
  | { readonly _tag: "News"; readonly entries: ReadonlyArray<Entry> }
  | { readonly _tag: "Finished" }
  /** The run does not own the task any more: taken over, cancelled, deleted, ended elsewhere, or left to another worker. */
  | { readonly _tag: "Stopped" }
