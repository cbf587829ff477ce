import { Schema } from "effect"

/** One setting that is wrong. No text here shows a secret. */
export const SettingProblem = Schema.Struct({
  name: Schema.String,
  /** What was found. */
  problem: Schema.String,
  /** What would be right. */
  expected: Schema.String
})
export interface SettingProblem extends Schema.Schema.Type<typeof SettingProblem> {}

/** Some settings are wrong: all of them, in one message for the person who starts the service. */
export class SettingsInvalid extends Schema.TaggedError<SettingsInvalid>()("SettingsInvalid", {
  problems: Schema.Array(SettingProblem)
}) {
  override get message(): string {
    const [heading, pronoun] = this.problems.length === 1 ? ["A setting is", "it"] : ["Some settings are", "them"]
    return [
      `${heading} not valid. Please correct ${pronoun} in the environment or in .env:`,
      ...this.problems.map(({ name, problem, expected }) => `  ${name}: ${problem}; expected ${expected}`)
    ].join("\n")
  }
}
