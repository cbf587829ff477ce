import type { Model } from "../domain/Model.ts"
import { offered, openAIWindow, versionOf } from "./ModelTable.ts"

/** What is told of a model by its name, because the API does not say it. Source: developers.openai.com/api/docs/models. */
export interface ModelTraits {
  /** Takes reasoning parameters and gives reasoning that can be passed back; other models refuse both. */
  readonly reasons: boolean
  /** Can be told to reason with medium effort; the pro models settle that themselves. */
  readonly takesEffort: boolean
  /** Wants to know of its earlier messages whether they were commentary or the answer. */
  readonly marksPhases: boolean
  /** Reads `instructions` after the input, for that turn only and uncached: they belong into a first item (developers.openai.com/api/docs/guides/latest-model/gpt-6.2-astra). */
  readonly readsInstructionsLast: boolean
  /** Sees pictures at full size, as coordinates need it, where others know "high" at most. */
  readonly seesOriginals: boolean
}

const isOSeries = (name: string): boolean => /^(?:ft:)?o\d/.test(name)

export const traitsOf = (name: string): ModelTraits => {
  const version = versionOf(name)
  const reasons = isOSeries(name) || (version >= 5 && !/-chat-latest$/.test(name))
  return {
    reasons,
    takesEffort: reasons && !/-pro(-|$)/.test(name),
    marksPhases: version >= 5.4,
    readsInstructionsLast: version >= 6.2,
    seesOriginals: version >= 5.5
  }
}

const models = offered("openai")

/** For stored tasks that name no model. */
export const defaultModel = "gpt-6.1-sol"

/** Kinds of models that do not use tools and see pictures, or only in their own way. */
const otherKinds =
  /audio|codex|cyber|daybreak|deep-research|image|instruct|moderation|realtime|rosalind|search|transcribe|translate|tts/

const isOurs = (id: string): boolean => {
  const isChat = versionOf(id) >= 4.1 || /^(ft:)?(gpt-4o|o[1-9])/.test(id)
  const isTextOnly = /^(ft:)?(o1-mini|o1-preview|o3-mini)/.test(id)
  return isChat && !isTextOnly && !otherKinds.test(id)
}

/** Of the ids of GET /v1/models those that can do our work; a dated one only where its undated name is not listed. */
export const fromListed = (ids: ReadonlyArray<string>): ReadonlyArray<Model> =>
  ids
    .filter((id) => isOurs(id) && !ids.some((other) => other !== id && other === id.replace(/-\d{4}-\d\d-\d\d$/, "")))
    .map(
      (id): Model =>
        models.find(({ name }) => name === id) ?? {
          provider: "openai",
          name: id,
          title: id,
          contextWindow: openAIWindow(id)
        }
    )

/** Whether the text is the id of a reasoning item; encrypted reasoning never begins so. */
export const isReasoningId = (text: string): boolean => /^rs_[\w-]{1,200}$/.test(text)
