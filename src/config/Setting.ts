import { Schema } from "effect"
import type { SettingKind } from "./SettingKinds.ts"

/** Headings under which the settings are documented, in this order. */
export const settingGroups = [
  "Service",
  "Database",
  "Models",
  "Desktop and agent",
  "Replicas and events",
  "Accounts",
  "Tracing"
] as const

/** One setting: everything that is known about it, once. */
export interface Setting<S extends Schema.Top> extends SettingKind<S> {
  /** The variable's name. */
  readonly name: string
  /** Other names that deployments use; `name` goes before them. */
  readonly aliases: ReadonlyArray<string>
  /** As it would be written in `.env`; undefined when there is none and the decoded value is an Option. */
  readonly default: string | undefined
  readonly group: (typeof settingGroups)[number]
  /** One line for people. */
  readonly meaning: string
  /** What a notice says when it is set and has no effect; undefined when it works. */
  readonly meanwhile: string | undefined
}

interface Description {
  readonly group: (typeof settingGroups)[number]
  readonly meaning: string
  readonly aliases?: ReadonlyArray<string>
  readonly meanwhile?: string
}

const describe = (name: string, about: Description) => ({
  name,
  aliases: about.aliases ?? [],
  group: about.group,
  meaning: about.meaning,
  meanwhile: about.meanwhile
})

/** A setting that always has a value. */
export const required = <S extends Schema.Top>(
  name: string,
  kind: SettingKind<S>,
  about: Description & { readonly default: string }
): Setting<S> => ({ ...kind, ...describe(name, about), default: about.default })

/** A setting that is an Option: None when unset. */
export const optional = <S extends Schema.Top>(
  name: string,
  kind: SettingKind<S>,
  about: Description
): Setting<Schema.OptionFromOptionalKey<S>> => ({
  ...kind,
  schema: Schema.OptionFromOptionalKey(kind.schema),
  ...describe(name, about),
  default: undefined
})
