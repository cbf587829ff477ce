import { Context, Effect, Layer, Option, Result, Schema, SchemaIssue } from "effect"
import { withoutCredentials } from "./Credentials.ts"
import { misspelt } from "./SettingsNotices.ts"
import { dotEnvFile, environment, type FoundSetting, findSettings, type SettingsSource } from "./SettingsSource.ts"
import { SettingsSchema, settings, textsByField } from "./SettingsTable.ts"

/** One setting that is wrong. No text here shows a secret. */
const SettingProblem = Schema.Struct({
  name: Schema.String,
  /** What was found. */
  problem: Schema.String,
  /** What would be right. */
  expected: Schema.String
})
interface SettingProblem extends Schema.Schema.Type<typeof SettingProblem> {}

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

/**
 * The decoded settings, by field of `settingsTable`, whose rows say what each one means. Times are Durations, secrets are
 * Redacted, and what has no default is an Option.
 */
export type SettingsValues = typeof SettingsSchema.Type & {
  /** Remarks for the person who starts the service: what was set and has no effect, and probable misspellings. */
  readonly notices: ReadonlyArray<string>
}

/** Every setting of the service (docs/contract/configuration.md), read once at start. */
export class Settings extends Context.Service<Settings, SettingsValues>()("bytebot/Settings") {
  /** Reads the environment and `.env` in the working folder; the environment wins. */
  static readonly layer: Layer.Layer<Settings, SettingsInvalid> = Layer.effect(
    Settings,
    Effect.suspend(() => readSettings("."))
  )

  /** Reads the given variables and nothing else. */
  static readonly layerFrom = (variables: SettingsSource["variables"]): Layer.Layer<Settings, SettingsInvalid> =>
    Layer.effect(
      Settings,
      Effect.suspend(() => Effect.fromResult(decodeSettings([{ place: "in the given variables", variables }])))
    )
}

/** Reads the environment and `.env` in `folder`; the environment wins. */
export const readSettings = Effect.fn("Settings.read")(function* (folder: string) {
  const file = yield* dotEnvFile(folder).pipe(
    Effect.mapError(
      ({ reason }) =>
        new SettingsInvalid({
          problems: [{ name: ".env", problem: `cannot be read (${reason._tag})`, expected: "a readable file, or none" }]
        })
    )
  )
  return yield* Effect.fromResult(decodeSettings([yield* environment, file]))
})

/** Settings from several sources, the strongest first. Fails with everything that is wrong at once. */
export const decodeSettings = (
  sources: ReadonlyArray<SettingsSource>
): Result.Result<SettingsValues, SettingsInvalid> => {
  const found = findSettings(sources)
  const texts = textsByField(({ field }) => found.get(field)?.text)
  return Schema.decodeUnknownResult(SettingsSchema)(texts, { errors: "all", onExcessProperty: "error" }).pipe(
    Result.mapBoth({
      onFailure: ({ issue }) => new SettingsInvalid({ problems: problemsOf(issue, found) }),
      onSuccess: (values) => ({
        ...values,
        notices: [...(Option.isSome(values.workers) ? [workersIgnored] : []), ...misspelt(sources)]
      })
    }),
    Result.flatMap((values) => {
      const problems = contradictions(values)
      return problems.length > 0 ? Result.fail(new SettingsInvalid({ problems })) : Result.succeed(values)
    })
  )
}

const workersIgnored = "WORKERS is ignored: the service is one process; start more replicas instead."

/** Settings that are valid one by one and contradict each other. */
const contradictions = (values: SettingsValues): ReadonlyArray<SettingProblem> => [
  ...(values.clusterEnabled && Option.isNone(values.databaseUrl) ? [privateDatabaseOfReplicas] : []),
  ...(values.authEnabled && Option.isNone(values.betterAuthSecret) ? [accountsWithoutSecret] : [])
]

const privateDatabaseOfReplicas: SettingProblem = {
  name: "CLUSTER",
  problem: "is set, and DATABASE_URL is not: the private server is one replica's own",
  expected: "DATABASE_URL of a server that all replicas share"
}

const accountsWithoutSecret: SettingProblem = {
  name: "AUTH_ENABLED",
  problem: "is set, and BETTER_AUTH_SECRET is not: anyone could forge a session",
  expected: "a BETTER_AUTH_SECRET of 32 random characters or more, such as openssl rand -base64 32 prints"
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

/** One problem for each setting that did not decode. */
const problemsOf = (
  issue: SchemaIssue.Issue,
  found: ReadonlyMap<string, FoundSetting>
): ReadonlyArray<SettingProblem> => {
  const { issues } = formatIssue(issue)
  return settings.flatMap((row) => {
    const ofRow = issues.filter(({ path }) => path?.[0] === row.field)
    const given = found.get(row.field)
    if (ofRow.length === 0 || given === undefined) return []
    const shown = row.secret ? "its value (not shown)" : abbreviate(given.text)
    const within = ofRow.flatMap(({ path = [], message }) =>
      path.length > 1 ? [`${path.slice(1).join(".")}: ${message}`] : []
    )
    const details = row.secret || within.length === 0 ? "" : ` (${within.join("; ")})`
    return [{ name: given.name, problem: `${shown} ${given.place} is not valid${details}`, expected: row.expected }]
  })
}

/** A value for a message: on one line, not too long. */
const abbreviate = (text: string) => {
  const line = withoutCredentials(text).replaceAll(/\s+/g, " ")
  return `"${line.length > 60 ? `${line.slice(0, 59)}…` : line}"`
}
