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
  readonly version: string
}

/** What is told once the service listens. */
export interface StartupNotice {
  readonly lines: ReadonlyArray<string>
  readonly warnings: ReadonlyArray<string>
}

const providers = [
  { title: "Anthropic", field: "anthropicApiKey" },
  { title: "OpenAI", field: "openaiApiKey" },
  { title: "Google", field: "geminiApiKey" },
  { title: "the proxy", field: "llmProxyUrl" }
] as const

const modelsOf = (settings: SettingsValues): string =>
  providers
    .filter(({ field }) => Option.isSome<unknown>(settings[field]))
    .map(({ title }) => title)
    .join(", ")

const desktopsOf = (settings: SettingsValues): string => settings.desktops.map(shown).join(", ")

const keys = providers.map(({ field }) => settingsTable[field].name)
const desktopLine = `${settingsTable.desktops.name}=http://localhost:9990`

/** In the log: what it uses, and as warnings what is missing, how to add it, and what else is to be known. */
export const startupNotice = (settings: SettingsValues, info: StartupInfo): StartupNotice => {
  const models = modelsOf(settings)
  const desktops = desktopsOf(settings)
  return {
    lines: [
      `bytebot-agent ${info.version} listens on ${info.address}`,
      `database: ${info.database}`,
      `desktop: ${desktops || "none"}`,
      `models: ${models || "none"}`
    ],
    warnings: [
      ...(models === "" ? [`No model is configured: set ${keys.join(" or ")}, and start again`] : []),
      ...(desktops === "" ? [`No desktop is configured, tasks wait: set ${desktopLine}, and start again`] : []),
      ...warningsOf(settings, info)
    ]
  }
}

/** For a person at a terminal: the addresses to open, what can be done, and what is missing with the line that adds it. */
export const startupBanner = (settings: SettingsValues, info: StartupInfo): StartupNotice => {
  const url = reachable(info.address)
  const models = modelsOf(settings)
  const desktops = desktopsOf(settings)
  const flag = url === defaultUrl ? "" : ` --url ${url}`
  const rows = [
    ["Address", url],
    ["Console", `${url}/console/`],
    ["Docs", `${url}/docs`],
    ["Database", info.database],
    [
      "Models",
      models || `none. Put this into .env and start again:  ${keys[0]}=your key   (or ${keys.slice(1).join(", ")})`
    ],
    ["Desktop", desktops || `none. Put this into .env and start again:  ${desktopLine}`],
    ["Demo", "npx bytebot-agent demo     three tasks with model and desktop emulated"],
    ["Try", `npx bytebot-agent task create "Open the browser" --watch${flag}`]
  ]
  return {
    lines: [
      "",
      `  bytebot-agent ${info.version}`,
      "",
      ...rows.map(([name = "", value = ""]) => `  ${name.padEnd(10)}${value}`),
      ""
    ],
    warnings: warningsOf(settings, info)
  }
}

/** The command line's own default. */
const defaultUrl = "http://localhost:9991"

const warningsOf = (settings: SettingsValues, { address }: StartupInfo): ReadonlyArray<string> => [
  ...(settings.authEnabled || isLoopback(address)
    ? []
    : [
        `Every client that reaches ${address} can use the desktop and read every task: set AUTH_ENABLED=true, or HOST=127.0.0.1`
      ]),
  ...settings.notices
]

/** Addresses of this machine alone (RFC 1122, RFC 4291). */
const isLoopback = (address: string): boolean =>
  /^(?:127\..*|\[::1\]|localhost)$/.test(URL.parse(address)?.hostname ?? "")

/** A desktop as it may be written in the settings: its name only where it says more than the URL. */
const shown = ({ name, url }: SettingsValues["desktops"][number]): string =>
  url.endsWith(name) ? withoutCredentials(url) : `${name}=${withoutCredentials(url)}`

/** The address as this machine reaches it: the wildcard addresses of RFC 1122 and RFC 4291 are no destinations. */
const reachable = (address: string) =>
  address.replace(/\/+$/, "").replace(/^(https?:\/\/)(0\.0\.0\.0|127\.0\.0\.1|\[::1?\])(?=:|$)/, "$1localhost")
