import { Config, Effect, Option } from "effect"
import { Flag } from "effect/cli"
import { makeRestClient, makeRpcClient } from "../client/BytebotClient.ts"

/** Flags of every command that talks to a running service. */
export const connectionFlags = {
  url: Flag.String("url").pipe(
    Flag.withDescription("Where the service is; also read from BYTEBOT_URL"),
    Flag.withFallbackConfig(Config.String("BYTEBOT_URL")),
    Flag.withDefault("http://localhost:9991")
  ),
  token: Flag.String("token").pipe(
    Flag.withDescription("A session's token or an API key, where accounts are on; also read from BYTEBOT_TOKEN"),
    Flag.withFallbackConfig(Config.String("BYTEBOT_TOKEN")),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print JSON, for scripts: one value, or one a line while watching"),
    Flag.withDefault(false)
  )
}

interface Flags {
  readonly url: string
  readonly token: Option.Option<string>
}

const connection = ({ token, url }: Flags) => ({ url: url.replace(/\/+$/, ""), token: Option.getOrUndefined(token) })

export const restClient = (flags: Flags) => makeRestClient(connection(flags))
export const rpcClient = (flags: Flags) => makeRpcClient(connection(flags))

/** Prints a line. */
export const print = (line: string): Effect.Effect<void> => Effect.sync(() => process.stdout.write(`${line}\n`))
