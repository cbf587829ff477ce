import type { ToolResultBlock } from "../../domain/ContentBlock.ts"
import type { AnsweredCall, Conversation, Entry } from "../../domain/Conversation.ts"
import type { MessageId } from "../../domain/Message.ts"
import type { ModelReply } from "../../models/LanguageModel.ts"
import type { Outcome } from "../../tasks/TaskRuns.ts"
import type { Split } from "./Shortening.ts"

/** What the run does next. */
export type Command =
  | { readonly _tag: "Load" }
  | { readonly _tag: "Recall"; readonly reply: Entry }
  | { readonly _tag: "WriteFiles" }
  /** Notes that the task is on its new desktop; `isTold`: with a message for the model. */
  | { readonly _tag: "Arrive"; readonly isTold: boolean }
  | { readonly _tag: "CountSpent" }
  /** A place where the run can stop, and where it waits for its desktop. */
  | { readonly _tag: "NextIteration" }
  | { readonly _tag: "Nudge"; readonly text: string }
  | { readonly _tag: "AskModel"; readonly conversation: Conversation }
  | { readonly _tag: "StoreReply"; readonly content: ModelReply["content"]; readonly call: AnsweredCall }
  /** `isForced`: there is no going on without the summary. */
  | { readonly _tag: "Summarise"; readonly split: Split; readonly isForced: boolean }
  /** `before`: for the last tool of a batch, the results of the others, to be stored along with its own. */
  | {
      readonly _tag: "RunTool"
      readonly reply: Entry
      readonly index: number
      readonly before: ReadonlyArray<ToolResultBlock> | undefined
    }
  /** `end`: the task ends with them. */
  | {
      readonly _tag: "StoreResults"
      readonly reply: Entry
      readonly results: ReadonlyArray<ToolResultBlock>
      readonly end: Outcome | undefined
    }
  /** Messages after the position, but for the run's `own`. */
  | { readonly _tag: "ReadNews"; readonly after: bigint; readonly own: ReadonlyArray<MessageId> }
  | { readonly _tag: "Finish"; readonly outcome: Outcome }
  /** The run is over. */
  | { readonly _tag: "Stop" }
  /** An observation came that nothing had asked for: a bug. The run is over. */
  | { readonly _tag: "Break"; readonly reason: string }
