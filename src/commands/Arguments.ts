import { parseArgs } from "node:util"
import { Effect, Schema } from "effect"

/** A command was called in a way that it does not understand. */
export class UsageInvalid extends Schema.TaggedError<UsageInvalid>()("UsageInvalid", {
  problem: Schema.String,
  usage: Schema.String
}) {
  override get message(): string {
    return `${this.problem}\nUsage: ${this.usage}`
  }
}

/** The words behind a command, which of the given flags (without their dashes) are among them, and the texts given for `options`. */
export const readArguments = (usage: string, flags: ReadonlyArray<string>, options: ReadonlyArray<string> = []) =>
  Effect.try({
    try: () => {
      const { positionals, values } = parseArgs({
        allowPositionals: true,
        options: Object.fromEntries([
          ...flags.map((flag) => [flag, { type: "boolean" }] as const),
          ...options.map((option) => [option, { type: "string" }] as const)
        ])
      })
      const texts = Object.entries(values).flatMap(([name, value]) =>
        typeof value === "string" ? [[name, value] as const] : []
      )
      return { words: positionals, flags: new Set(Object.keys(values)), texts: new Map(texts) }
    },
    catch: (error) => new UsageInvalid({ problem: error instanceof Error ? error.message : String(error), usage })
  })
