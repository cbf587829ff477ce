import { Config, type Option } from "effect"
import { Flag } from "effect/cli"

/** Where the running service is. */
export interface ConnectionFlags {
  /** Without a slash at its end. */
  readonly url: string
  readonly token: Option.Option<string>
  readonly json: boolean
}

/** Flags of every command that talks to a running service. */
export const connectionFlags = {
  url: Flag.String("url").pipe(
    Flag.withDescription("Where the service is; also read from BYTEBOT_URL"),
    Flag.withFallbackConfig(Config.String("BYTEBOT_URL")),
    Flag.withDefault("http://localhost:9991"),
    Flag.map((url) => url.replace(/\/+$/, ""))
  ),
  token: Flag.String("token").pipe(
    Flag.withDescription(
      "A session's token or an API key, where accounts are on; also read from BYTEBOT_TOKEN, or kept by login"
    ),
    Flag.withFallbackConfig(Config.String("BYTEBOT_TOKEN")),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print JSON, for scripts: one value, or one a line while watching"),
    Flag.withDefault(false)
  )
}
