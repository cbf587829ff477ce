import { Option } from "effect"
import { withoutCredentials } from "./Credentials.ts"
import type { SettingsValues } from "./Settings.ts"
import { settingsTable } from "./SettingsTable.ts"

/** What only the running service knows. */
export interface StartupInfo {
  /** URL that the server listens on, e.g. http://0.0.0.0:9991. */
  readonly address: string
  /** The database in a few words, without its password. */
  readonly database: string
}

const providers = [
  { title: "Anthropic", field: "anthropicApiKey" },
  { title: "OpenAI", field: "openaiApiKey" },
  { title: "Google", field: "geminiApiKey" },
  { title: "the proxy", field: "llmProxyUrl" }
] as const

/** The few lines that are printed once the service listens: what it uses, what is missing and how to add it, what to try. */
export const startupNotice = (settings: SettingsValues, info: StartupInfo): ReadonlyArray<string> => {
  const models = providers.filter(({ field }) => Option.isSome<unknown>(settings[field])).map(({ title }) => title)
  const desktops = settings.desktops.map(shown)
  const missing = [
    ...(models.length > 0
      ? []
      : [`a model: set ${providers.map(({ field }) => settingsTable[field].name).join(" or ")}`]),
    ...(desktops.length > 0 ? [] : [`a desktop: set ${settingsTable.desktops.name}=http://localhost:9990`])
  ]
  return [
    `bytebot-agent listens on ${info.address}`,
    `  database: ${info.database}`,
    `  desktop:  ${desktops.join(", ") || "none"}`,
    `  models:   ${models.join(", ") || "none"}`,
    ...(missing.length === 0
      ? []
      : [
          "Before tasks can run it needs (in the environment or in .env, then start again):",
          ...missing.map((line) => `  - ${line}`)
        ]),
    ...(settings.authEnabled || isLoopback(info.address)
      ? []
      : [
          `Warning: whoever reaches ${info.address} can use the desktop and read every task: set AUTH_ENABLED=true, or HOST=127.0.0.1`
        ]),
    ...settings.notices.map((notice) => `Note: ${notice}`),
    `Try: curl ${reachable(info.address)}/tasks`
  ]
}

/** Addresses of this machine alone (RFC 1122, RFC 4291). */
const isLoopback = (address: string): boolean =>
  /^(?:127\..*|\[::1\]|localhost)$/.test(URL.parse(address)?.hostname ?? "")

/** A desktop as it may be written in the settings: its name only where it says more than the URL. */
const shown = ({ name, url }: SettingsValues["desktops"][number]): string =>
  url.endsWith(name) ? withoutCredentials(url) : `${name}=${withoutCredentials(url)}`

/** The address as a program on this machine reaches it: the wildcard addresses of RFC 1122 and RFC 4291 are no destinations. */
const reachable = (address: string) =>
  address.replace(/\/+$/, "").replace(/^(https?:\/\/)(0\.0\.0\.0|\[::\])(?=:|$)/, "$1localhost")
