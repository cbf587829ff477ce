import { homedir } from "node:os"
import { text } from "node:stream/consumers"
import { Effect, FileSystem, Option, Path, Redacted, Schema } from "effect"
import { Prompt } from "effect/cli"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { Unauthorized } from "../domain/AccountErrors.ts"
import { print } from "./Output.ts"

/** The service answered a login in a way that is neither yes nor no. */
class LoginFailed extends Schema.TaggedError<LoginFailed>()("LoginFailed", {
  url: Schema.String,
  status: Schema.Int
}) {
  override get message(): string {
    return this.status === 404
      ? `The service at ${this.url} has no accounts: no login is needed.`
      : `The service at ${this.url} answered the login with ${this.status}. Its log says more.`
  }
}

/** Tokens by the service's URL. */
const Logins = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

/** `$XDG_CONFIG_HOME/bytebot-agent/logins.json`, which only its owner can read. */
const loginsFile = Effect.map(Path.Path, (path) => {
  const given = process.env.XDG_CONFIG_HOME ?? ""
  return path.join(given === "" ? path.join(homedir(), ".config") : given, "bytebot-agent", "logins.json")
})

/** Without the file there are none; one that cannot be read is as good as none. */
const readLogins = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  return yield* Schema.decodeEffect(Logins)(yield* fs.readFileString(yield* loginsFile))
}).pipe(Effect.orElseSucceed((): typeof Logins.Type => ({})))

/** The token that `login` kept for the service at this URL. */
export const keptToken = (url: string) => Effect.map(readLogins, (logins) => Option.fromNullishOr(logins[url]))

const keep = Effect.fnUntraced(function* (url: string, token: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = yield* loginsFile
  const logins = yield* Schema.encodeEffect(Logins)({ ...(yield* readLogins), [url]: token })
  yield* fs.makeDirectory(path.dirname(file), { recursive: true, mode: 0o700 })
  yield* fs.writeFileString(file, logins, { mode: 0o600 })
  return file
})

const readPassword = Effect.suspend(() =>
  process.stdin.isTTY
    ? Prompt.run(Prompt.Password({ message: "Password" }))
    : Effect.map(
        Effect.promise(() => text(process.stdin)),
        (piped) => Redacted.make(piped.replace(/\r?\n$/, ""))
      )
)

const Session = Schema.Struct({ token: Schema.String })

/** `login`: asks for the password, or reads it from a pipe, and keeps the session's token for the other commands. */
export const login = Effect.fnUntraced(function* ({ email, url }: { readonly email: string; readonly url: string }) {
  const password = Redacted.value(yield* readPassword)
  const client = yield* HttpClient.HttpClient
  const response = yield* client.execute(
    HttpClientRequest.post(`${url}/auth/login`).pipe(HttpClientRequest.bodyJsonUnsafe({ email, password }))
  )
  if (response.status === 401) return yield* new Unauthorized()
  if (response.status !== 200) return yield* new LoginFailed({ url, status: response.status })
  const { token } = yield* HttpClientResponse.schemaBodyJson(Session)(response)
  const file = yield* keep(url, token)
  yield* print(`Logged in at ${url} as ${email}. The session's token is kept in ${file}.`)
}, Effect.provide(FetchHttpClient.layer))
