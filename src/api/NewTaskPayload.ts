import { Schema } from "effect"
import { Effort, Role, TaskPriority, TaskType } from "../domain/Task.ts"
import { Base64Text, blankAsAbsent, choiceOf, expecting, InstantText, NonEmptyText, Text } from "./RequestFields.ts"

const window = "a number of tokens above 0"

/** Which model shall run the task; the window, in tokens, is text in urlencoded bodies. */
const ModelChoice = Schema.Struct({
  provider: NonEmptyText,
  name: NonEmptyText,
  title: Schema.optionalKey(Text),
  contextWindow: Schema.optionalKey(
    Schema.Union([Schema.Finite.annotate(expecting(window)), Schema.FiniteFromString.annotate(expecting(window))])
      .annotate(expecting(window))
      .check(Schema.isGreaterThan(0, expecting(window)))
  )
}).annotate(expecting("an object with provider and name"))

const sizeInBytes = expecting("a size in bytes from 0 to 2147483647")

/** A file to be written to the desktop; `size` in bytes, as the client states it. */
const NewFile = Schema.Struct({
  name: NonEmptyText,
  base64: Base64Text,
  type: Schema.optionalKey(blankAsAbsent(Text, "text")),
  size: Schema.Number.annotate(sizeInBytes).check(
    Schema.isInt(sizeInBytes),
    Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }, sizeInBytes)
  )
})

/** Body of `POST /tasks`; absent fields get the defaults. */
export const NewTaskPayload = Schema.Struct({
  description: NonEmptyText,
  type: Schema.optionalKey(choiceOf(TaskType)),
  scheduledFor: Schema.optionalKey(blankAsAbsent(InstantText, "an ISO 8601 date with time and zone")),
  priority: Schema.optionalKey(choiceOf(TaskPriority)),
  createdBy: Schema.optionalKey(choiceOf(Role)),
  model: Schema.optionalKey(ModelChoice),
  /** How much the model shall think about each step; absent: as the settings say (ours). */
  effort: Schema.optionalKey(choiceOf(Effort)),
  /** Name of the desktop that the task shall run on (ours). */
  desktop: Schema.optionalKey(blankAsAbsent(Text, "the name of a desktop")),
  files: Schema.optionalKey(blankAsAbsent(Schema.Array(NewFile), "a list of files"))
})
