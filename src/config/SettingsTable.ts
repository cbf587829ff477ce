import { Schema, Struct } from "effect"
import * as Kind from "./SettingKinds.ts"

interface About {
  /** One line for people. */
  readonly meaning: string
  /** Other names that deployments use; `name` wins over them. */
  readonly aliases?: ReadonlyArray<string>
}

/** One setting: everything that is known about it, once. */
interface Setting<S extends Schema.Top> extends Kind.SettingKind<S>, Required<About> {
  /** The variable's name. */
  readonly name: string
  /** As it would be written in `.env`; undefined when there is none and the decoded value is an Option. */
  readonly default: string | undefined
}

/** A setting that always has a value. */
const required = <S extends Schema.Top>(
  name: string,
  kind: Kind.SettingKind<S>,
  defaultText: string,
  { aliases = [], meaning }: About
): Setting<S> => ({ ...kind, name, default: defaultText, aliases, meaning })

/** A setting that is an Option: None when unset. */
const optional = <S extends Schema.Top>(
  name: string,
  kind: Kind.SettingKind<S>,
  { aliases = [], meaning }: About
): Setting<Schema.OptionFromOptionalKey<S>> => {
  const schema = Schema.OptionFromOptionalKey(kind.schema)
  return { ...kind, schema, name, default: undefined, aliases, meaning }
}

const service = {
  port: required("PORT", Kind.integer(0, 65535), "9991", { meaning: "Port to listen on; 0 takes any free one." }),
  host: required("HOST", Kind.host, "0.0.0.0", {
    meaning: "Address to listen on; 127.0.0.1 keeps the service to this machine."
  }),
  corsOrigins: optional("CORS_ORIGINS", Kind.origins, {
    meaning: "Web origins whose pages may call the service, separated by commas; unset: all of them."
  }),
  logLevel: required("LOG_LEVEL", Kind.oneOf("Debug", "Info", "Warn", "Error"), "info", {
    meaning: "Least important messages that are logged: debug, info, warn or error."
  }),
  logFormat: required("LOG_FORMAT", Kind.oneOf("auto", "pretty", "json"), "auto", {
    meaning: "pretty, json, or auto: pretty on a terminal, json otherwise."
  }),
  shutdownDelay: required("SHUTDOWN_DELAY", Kind.milliseconds(0), "0", {
    meaning:
      "Milliseconds for which a service that was told to stop says that it is not ready, and still answers, so that load balancers turn away from it."
  }),
  shutdownTimeout: required("SHUTDOWN_TIMEOUT", Kind.milliseconds(0), "10000", {
    meaning: "Milliseconds that running work gets to end when the service is stopped."
  }),
  proxies: required("BYTEBOT_PROXIES", Kind.integer(0, 100), "0", {
    meaning:
      "How many proxies of yours requests come through: a client's address is taken from what they add to X-Forwarded-For."
  }),
  rateLimit: optional("BYTEBOT_RATE_LIMIT", Kind.integer(1, 1_000_000_000), {
    meaning: "Most requests and RPC calls per minute of one user, or of one address without a login; unset: no limit."
  }),
  requestTimeout: required("BYTEBOT_REQUEST_TIMEOUT", Kind.milliseconds(1), "300000", {
    meaning: "Milliseconds in which a whole request must have arrived."
  }),
  readTimeout: required("BYTEBOT_READ_TIMEOUT", Kind.milliseconds(1), "30000", {
    meaning:
      "Milliseconds after which a client is cut off that reads nothing of a large answer, or sends nothing of a large body that it has begun."
  }),
  bodyMemory: required("BYTEBOT_BODY_MEMORY", Kind.integer(1, 1_000_000_000_000), "100663296", {
    meaning: "Bytes of large request bodies that are held at a time; what comes on top of them is answered with 503."
  }),
  answerMemory: required("BYTEBOT_ANSWER_MEMORY", Kind.integer(1, 1_000_000_000_000), "33554432", {
    meaning:
      "Bytes of large answers that are held at a time; the rest stays in the database until clients have read on."
  }),
  socketsPerAddress: required("BYTEBOT_SOCKETS_PER_ADDRESS", Kind.integer(1, 1_000_000), "1000", {
    meaning:
      "Most connections and streams that one address holds open at one replica: Socket.IO, RPC and its streams, event streams."
  }),
  maxFiles: required("BYTEBOT_MAX_FILES", Kind.integer(0, 10_000), "100", { meaning: "Most files of a new task." }),
  maxFileSize: required("BYTEBOT_MAX_FILE_SIZE", Kind.integer(0, 2_147_483_647), "52428800", {
    meaning: "Most bytes of one of them; a whole request has 50 MB at most."
  }),
  workers: optional("WORKERS", Kind.text, {
    meaning: "Ignored: the service is one process; start more replicas instead."
  })
}

const database = {
  databaseUrl: optional("DATABASE_URL", Kind.secretUrl("postgresql:", "postgres:"), {
    meaning: "PostgreSQL server, postgresql://user:password@host:5432/name; unset: a private server is started."
  }),
  dataDir: required("BYTEBOT_DATA_DIR", Kind.text, ".data", {
    meaning: "Folder of the private PostgreSQL server and its password."
  }),
  databasePoolMax: required("DATABASE_POOL_MAX", Kind.integer(1, 1000), "10", {
    meaning: "Most connections to PostgreSQL at a time."
  }),
  databaseConnectTimeout: required("DATABASE_CONNECT_TIMEOUT", Kind.milliseconds(1), "5000", {
    meaning: "Milliseconds that one attempt to connect to PostgreSQL may take."
  }),
  databaseStatementTimeout: required("DATABASE_STATEMENT_TIMEOUT", Kind.milliseconds(100), "7000", {
    meaning:
      "Milliseconds without a sign of life from PostgreSQL after which a statement fails and its connection is given up. Migrations may take longer."
  }),
  databaseConnectRetry: required("DATABASE_CONNECT_RETRY", Kind.milliseconds(0), "60000", {
    meaning: "Milliseconds for which an unreachable PostgreSQL is tried again at start before the service gives up."
  }),
  migrateOnStart: required("MIGRATE_ON_START", Kind.boolean, "true", {
    meaning:
      "Whether the service brings the database's schema up to date when it starts; false: it waits for bytebot-agent migrate up."
  })
}

const models = {
  anthropicApiKey: optional("ANTHROPIC_API_KEY", Kind.secretText, {
    meaning: "Key for Anthropic's models; without it they are not offered."
  }),
  anthropicBaseUrl: optional("ANTHROPIC_BASE_URL", Kind.baseUrl, { meaning: "Another endpoint for Anthropic's API." }),
  openaiApiKey: optional("OPENAI_API_KEY", Kind.secretText, {
    meaning: "Key for OpenAI's models; without it they are not offered."
  }),
  openaiBaseUrl: optional("OPENAI_BASE_URL", Kind.baseUrl, {
    meaning: "Another endpoint for OpenAI's API, with its version, e.g. https://api.openai.com/v1."
  }),
  geminiApiKey: optional("GEMINI_API_KEY", Kind.secretText, {
    aliases: ["GOOGLE_API_KEY"],
    meaning: "Key for Google's Gemini models; without it they are not offered."
  }),
  geminiBaseUrl: optional("GOOGLE_GEMINI_BASE_URL", Kind.baseUrl, {
    meaning: "Another endpoint for Google's Gemini API."
  }),
  llmProxyUrl: optional("BYTEBOT_LLM_PROXY_URL", Kind.baseUrl, {
    meaning:
      "OpenAI-compatible proxy (LiteLLM, Ollama, LM Studio, vLLM, OpenRouter), with or without /v1; when set, only its models are offered."
  }),
  llmProxyApiKey: optional("BYTEBOT_LLM_PROXY_API_KEY", Kind.secretText, {
    meaning: "Key for the proxy, if it wants one."
  }),
  modelHeaders: optional("BYTEBOT_MODEL_HEADERS", Kind.secretHeaders, {
    meaning:
      'More headers of requests to a provider: {"anthropic":{"x-team":"desktop"},"proxy":{"x-portkey-config":"pc-1"}}.'
  }),
  models: optional("BYTEBOT_MODELS", Kind.models, {
    meaning:
      'Models to offer instead of the built-in list: [{"provider":"anthropic","name":"…","title":"…","contextWindow":200000}].'
  }),
  modelPrices: optional("BYTEBOT_MODEL_PRICES", Kind.modelPrices, {
    meaning:
      'Prices of models in US dollars for a million tokens, before those that are known: {"proxy/qwen3-vl":{"input":0.2,"output":0.8,"cacheRead":0.02,"cacheWrite":0.25}}; proxy/* stands for all models of the proxy.'
  }),
  contextLimit: optional("BYTEBOT_CONTEXT_LIMIT", Kind.integer(1_000, 100_000_000), {
    meaning:
      "Tokens of a conversation above which it is summarised; unset: three quarters of the model's window, or where a longer input costs more."
  }),
  defaultModel: optional("BYTEBOT_DEFAULT_MODEL", Kind.text, {
    meaning: "Model of tasks that name none, as provider/name or name; unset: the first one offered."
  }),
  effort: optional("BYTEBOT_MODEL_EFFORT", Kind.oneOf("low", "medium", "high"), {
    meaning:
      "How much models think about each step, low, medium or high, for tasks that do not say it; unset: as the model's provider has it."
  }),
  modelFallbacks: optional("BYTEBOT_MODEL_FALLBACKS", Kind.modelReferences, {
    meaning: "Models to go on with while a provider stays unavailable, as provider/name, separated by commas."
  }),
  modelFallbackAfter: required("BYTEBOT_MODEL_FALLBACK_AFTER", Kind.milliseconds(0), "60000", {
    meaning: "Milliseconds after which a model that does not answer is given up for the next of the fallbacks."
  }),
  modelRetryFor: required("BYTEBOT_MODEL_RETRY_FOR", Kind.milliseconds(0), "900000", {
    meaning: "Milliseconds for which an overloaded or unreachable model is tried again before the task fails."
  }),
  modelSilence: required("BYTEBOT_MODEL_SILENCE", Kind.milliseconds(100), "600000", {
    meaning:
      "Milliseconds without a byte from a model's provider, before its answer or in it, after which the call counts as failed and is made again. An answer may take as long as it keeps coming, an hour at most."
  })
}

const desktopAndAgent = {
  desktops: required("BYTEBOT_DESKTOP_BASE_URL", Kind.desktops, "", {
    meaning:
      "The desktop daemon, e.g. http://localhost:9990; several are separated by commas, each as URL or name=URL. Unnamed ones are called by their host and port."
  }),
  applications: required(
    "BYTEBOT_DESKTOP_APPLICATIONS",
    Kind.applications,
    "firefox=web browser,thunderbird=mail,1password=passwords,vscode=editor,terminal,directory=files,desktop=shows the desktop",
    {
      meaning:
        "Applications that models are told of and may open, as name or name=purpose, separated by commas; the names are those of the desktop daemon."
    }
  ),
  desktopLost: required("BYTEBOT_DESKTOP_LOST", Kind.oneOf("wait", "handover"), "wait", {
    meaning:
      "What becomes of the task on a desktop that stops answering: wait for the desktop, or handover to another one."
  }),
  desktopLostAfter: required("BYTEBOT_DESKTOP_LOST_AFTER", Kind.milliseconds(0), "30000", {
    meaning: "Milliseconds without an answer after which a desktop's task is handed over."
  }),
  settleDelay: required("BYTEBOT_SETTLE_DELAY", Kind.milliseconds(0), "750", {
    meaning: "Milliseconds between an action on the desktop and the screenshot that shows its effect."
  }),
  maxIterations: required("BYTEBOT_MAX_ITERATIONS", Kind.integer(1, 1_000_000), "500", {
    meaning: "Most model calls for one task before it asks for help."
  }),
  maxWaitMinutes: required("BYTEBOT_MAX_WAIT_MINUTES", Kind.integer(1, 10_080), "60", {
    meaning: "Most minutes that a task only waits and looks at the screen before it asks for help."
  }),
  keepScreenshots: required("BYTEBOT_KEEP_SCREENSHOTS", Kind.integer(1, 1000), "5", {
    meaning: "Newest screenshots that a model is always shown; older ones are left out, three times as many at once."
  }),
  taskTokenBudget: optional("BYTEBOT_TASK_TOKEN_BUDGET", Kind.integer(1, Number.MAX_SAFE_INTEGER), {
    meaning: "Most tokens, sent and received, for one task before it asks for help; unset: no limit."
  }),
  taskCostBudget: optional("BYTEBOT_TASK_COST_BUDGET", Kind.amount, {
    meaning:
      "Most US dollars for one task before it asks for help, where the model's prices are known; unset: no limit."
  }),
  analyticsEndpoint: optional("BYTEBOT_ANALYTICS_ENDPOINT", Kind.endpointUrl, {
    meaning: "URL that receives every completed, failed or cancelled task with its messages."
  })
}

const replicas = {
  clusterEnabled: required("CLUSTER", Kind.boolean, "false", {
    meaning: "Whether several replicas share the work through one database; each needs DATABASE_URL."
  }),
  clusterHost: optional("CLUSTER_HOST", Kind.host, {
    meaning: "Address under which the other replicas reach this one; unset: the first network address of the machine."
  }),
  clusterPort: required("CLUSTER_PORT", Kind.integer(1, 65535), "34431", {
    meaning: "Port for the other replicas. It knows no accounts: for a private network only."
  }),
  redisUrl: optional("REDIS_URL", Kind.secretUrl("redis:", "rediss:"), {
    meaning:
      "Redis that carries events to the replicas and counts requests, redis://user:password@host:6379; unset: PostgreSQL does."
  })
}

const accounts = {
  authEnabled: required("AUTH_ENABLED", Kind.boolean, "false", {
    meaning: "Whether users must log in, and see their own tasks only; needs BETTER_AUTH_SECRET."
  }),
  betterAuthSecret: optional("BETTER_AUTH_SECRET", Kind.secretText, {
    aliases: ["JWT_SECRET"],
    meaning: "Secret that signs sessions: 32 random characters or more."
  }),
  betterAuthUrl: optional("BETTER_AUTH_URL", Kind.baseUrl, {
    meaning:
      "URL under which browsers reach the service; with https:// cookies are sent encrypted only. Unset: http://localhost:PORT."
  }),
  betterAuthTrustedOrigins: optional("BETTER_AUTH_TRUSTED_ORIGINS", Kind.list, {
    meaning:
      "More web origins whose pages may use a user's cookie, separated by commas; those of CORS_ORIGINS may, too."
  }),
  signUp: required("BYTEBOT_SIGN_UP", Kind.boolean, "true", {
    meaning: "Whether visitors may make accounts; false: bytebot-agent user create makes them."
  }),
  loginLimit: required("BYTEBOT_LOGIN_LIMIT", Kind.integer(1, 1_000_000), "20", {
    meaning: "Most attempts to log in, or to make an account, per minute and address, at all replicas together."
  })
}

const tracing = {
  otelEndpoint: optional("OTEL_EXPORTER_OTLP_ENDPOINT", Kind.baseUrl, {
    meaning: "OpenTelemetry collector that receives traces, metrics and logs; unset: none are sent."
  }),
  otelHeaders: optional("OTEL_EXPORTER_OTLP_HEADERS", Kind.secretKeyValues, {
    meaning: "Headers for the collector: name=value, separated by commas."
  }),
  otelProtocol: required("OTEL_EXPORTER_OTLP_PROTOCOL", Kind.oneOf("http/protobuf", "http/json"), "http/protobuf", {
    meaning: "How the collector is spoken to: http/protobuf or http/json."
  }),
  otelServiceName: required("OTEL_SERVICE_NAME", Kind.text, "bytebot-agent", {
    meaning: "Name under which the service appears in traces."
  }),
  otelResourceAttributes: optional("OTEL_RESOURCE_ATTRIBUTES", Kind.keyValues, {
    meaning: "More attributes of the service in traces: name=value, separated by commas."
  }),
  otelTracesSampler: required(
    "OTEL_TRACES_SAMPLER",
    Kind.oneOf(
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio"
    ),
    "parentbased_always_on",
    { meaning: "Which traces are sent; the names are OpenTelemetry's." }
  ),
  otelTracesSamplerArg: optional("OTEL_TRACES_SAMPLER_ARG", Kind.fraction, {
    meaning: "Share of the traces that a ratio sampler sends, from 0 to 1."
  })
}

/** The headings under which the settings are documented, in this order. */
export const settingGroups = {
  Service: service,
  Database: database,
  Models: models,
  "Desktop and agent": desktopAndAgent,
  "Replicas and events": replicas,
  Accounts: accounts,
  Tracing: tracing
}

/**
 * Every setting of the service, by the name of its field in `Settings`. Decoding, start-up notices, `.env.example`
 * and docs/settings.md come from here. Names and defaults: docs/contract/configuration.md.
 */
export const settingsTable = {
  ...service,
  ...database,
  ...models,
  ...desktopAndAgent,
  ...replicas,
  ...accounts,
  ...tracing
}

interface SchemaOf extends Struct.Lambda {
  <S extends Schema.Top>(setting: Setting<S>): S
  readonly "~lambda.out": this["~lambda.in"] extends Setting<infer S> ? S : never
}

/** Decodes texts by field name (a key is absent when the setting has neither value nor default). */
export const SettingsSchema = Schema.Struct(
  Struct.map(
    settingsTable,
    Struct.lambda<SchemaOf>((setting) => setting.schema)
  )
)

/** The table's rows in order, each with its field's name. */
export const settings = Struct.keys(settingsTable).map((field) => ({ field, ...settingsTable[field] }))
export type SettingRow = (typeof settings)[number]

/** What to decode: the texts that `textOf` has for the rows, completed by the defaults. */
export const textsByField = (textOf: (row: SettingRow) => string | undefined): Record<string, string> =>
  Object.fromEntries(
    settings.flatMap((row) => {
      const text = textOf(row) ?? row.default
      return text === undefined ? [] : [[row.field, text]]
    })
  )

/** The settings when nothing is set. */
export const defaultValues = Schema.decodeUnknownSync(SettingsSchema)(textsByField(() => undefined))
