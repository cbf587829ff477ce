import type { Model } from "../domain/Model.ts"

/** What is told of a model by its name, because the API does not say it. Source: developers.openai.com/api/docs/models. */
export interface ModelTraits {
  /** Takes reasoning parameters and gives reasoning that can be passed back; other models refuse both. */
  readonly reasons: boolean
  /** Can be told to reason with medium effort; the pro models settle that themselves. */
  readonly takesEffort: boolean
  /** Wants to know of its earlier messages whether they were commentary or the answer. */
  readonly marksPhases: boolean
  /** Sees pictures at full size, as coordinates need it, where others know "high" at most. */
  readonly seesOriginals: boolean
}

/** 5.4 of gpt-5.4-mini, also when it is fine-tuned; 0 for other names. */
const versionOf = (name: string): number => {
  const [, major = "0", minor = "0"] = /^(?:ft:)?gpt-(\d+)(?:\.(\d+))?/.exec(name) ?? []
  return Number(`${major}.${minor}`)
}

const isOSeries = (name: string): boolean => /^(?:ft:)?o\d/.test(name)

export const traitsOf = (name: string): ModelTraits => {
  const version = versionOf(name)
  const reasons = isOSeries(name) || (version >= 5 && !/-chat-latest$/.test(name))
  return {
    reasons,
    takesEffort: reasons && !/-pro(-|$)/.test(name),
    marksPhases: version >= 5.4,
    seesOriginals: version >= 5.5
  }
}

const contextWindowOf = (name: string): number => {
  const version = versionOf(name)
  if (version >= 5.4) return /-(mini|nano)(-|$)/.test(name) ? 400_000 : 1_050_000
  if (version >= 5) return /-chat-latest$/.test(name) ? 128_000 : 400_000
  if (version >= 4.1) return 1_047_576
  return isOSeries(name) ? 200_000 : 128_000
}

const offered = (name: string, title: string): Model => ({
  provider: "openai",
  name,
  title,
  contextWindow: contextWindowOf(name)
})

/** The models on offer. Names: the type definitions of the vendor's SDK (those not marked deprecated, of each kind the newest). */
export const models: ReadonlyArray<Model> = [
  offered("gpt-6.1-sol", "GPT-6.1 Sol"),
  offered("gpt-6-astra", "GPT-6 Astra"),
  offered("gpt-6.1-terra", "GPT-6.1 Terra"),
  offered("gpt-6-luna", "GPT-6 Luna"),
  offered("gpt-5.6-sol", "GPT-5.6 Sol")
]

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
    .map((id) => models.find(({ name }) => name === id) ?? offered(id, id))

/** Whether the text is the id of a reasoning item; encrypted reasoning never begins so. */
export const isReasoningId = (text: string): boolean => /^rs_[\w-]{1,200}$/.test(text)
