import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer, Option } from "effect"
import { withoutCredentials } from "../config/Credentials.ts"
import { Settings } from "../config/Settings.ts"
import { awaitDatabase, commandLayer } from "../database/DatabaseConnection.ts"
import { findServerWithData } from "../database/DatabaseServer.ts"
import { behind, migrationStatus } from "../database/Migrator.ts"
import { Desktops } from "../desktop/Desktops.ts"
import * as ConfiguredModels from "../models/ConfiguredModels.ts"
import { LanguageModels, providerTitles } from "../models/LanguageModel.ts"
import { providers } from "../models/Providers.ts"
import type { ConnectionFlags } from "./ConnectionFlags.ts"
import { examineModel } from "./DoctorModel.ts"
import { report } from "./Findings.ts"
import { logLayer } from "./Output.ts"
import { restClient } from "./ServiceConnection.ts"

const modelTimeout = "15 seconds"
const serviceTimeout = "5 seconds"

const checkDatabase = Effect.gen(function* () {
  const settings = yield* Settings
  const { place, server } = yield* findServerWithData(settings)
  yield* awaitDatabase(server, { ...settings, databaseConnectRetry: settings.databaseConnectTimeout })
  const { pending } = yield* Effect.provide(migrationStatus, commandLayer(server, settings))
  return pending.length === 0
    ? { what: "database", ok: true, note: `${place}, up to date` }
    : {
        what: "database",
        ok: settings.migrateOnStart,
        note: settings.migrateOnStart ? `${place}; the next start brings it up to date` : behind(pending)
      }
}).pipe(
  Effect.scoped,
  Effect.catchTag("NoPrivateData", () =>
    Effect.succeed({ what: "database", ok: true, note: "none yet: the first start makes a private one" })
  ),
  Effect.catch((error) => Effect.succeed({ what: "database", ok: false, note: error.message }))
)

const checkDesktops = Effect.gen(function* () {
  const settings = yield* Settings
  const clients = yield* Desktops
  if (settings.desktops.length === 0) {
    return [{ what: "desktop", ok: false, note: "none: set BYTEBOT_DESKTOP_BASE_URL=http://localhost:9990" }]
  }
  return yield* Effect.forEach(
    settings.desktops,
    Effect.fnUntraced(function* ({ name, url }) {
      const { contact, probe } = clients.at(url)
      yield* probe
      const ok = contact.state._tag === "Answering"
      const note = ok
        ? withoutCredentials(url)
        : `${withoutCredentials(url)} does not answer: is the daemon running, and reachable from here?`
      return { what: `desktop ${name}`, ok, note }
    }),
    { concurrency: 8 }
  )
})

const checkModels = Effect.gen(function* () {
  const settings = yield* Settings
  const languages = yield* LanguageModels
  const usable = providers.filter(({ make }) => Option.isSome(make(settings)))
  if (usable.length === 0) {
    return [{ what: "model", ok: false, note: `none: set ${providers.map(({ needs }) => needs).join(" or ")}` }]
  }
  return yield* Effect.forEach(
    usable,
    ({ name, needs }) =>
      languages.of(name).pipe(
        Effect.flatMap(({ list }) => Effect.timeout(list, modelTimeout)),
        Effect.match({
          onSuccess: (models) => ({
            what: providerTitles[name],
            ok: true,
            note: `answers, lists ${models.length} models`
          }),
          onFailure: (error) => ({ what: providerTitles[name], ok: false, note: `${error.message} (see ${needs})` })
        })
      ),
    { concurrency: 4 }
  )
})

const checkService = Effect.fnUntraced(function* (flags: ConnectionFlags) {
  const client = yield* restClient(flags)
  const health = yield* Effect.timeout(client.health.detailed(), serviceTimeout)
  return health.status === "healthy"
    ? { what: "service", ok: true, note: `${flags.url}, version ${health.version}` }
    : { what: "service", ok: false, note: `${flags.url}: ${health.reason}` }
})

/** A service that does not run is nothing to fix: the doctor is asked before the first start, too. */
const lookAtService = (flags: ConnectionFlags) =>
  checkService(flags).pipe(
    Effect.catchTag("HttpClientError", () =>
      Effect.succeed({ what: "service", ok: true, note: `none answers at ${flags.url}` })
    ),
    Effect.catch((error) =>
      Effect.succeed({ what: "service", ok: false, note: `${flags.url} does not answer as expected: ${error.message}` })
    )
  )

/** `doctor`: looks at everything that a service with these settings needs, and at the running one, or at one model, and says what to fix. */
export const doctor = Effect.fn(function* (flags: ConnectionFlags & { readonly model: Option.Option<string> }) {
  if (Option.isSome(flags.model)) return yield* report(yield* examineModel(flags.model.value), flags.json)
  const [database, desktops, models, service] = yield* Effect.all(
    [checkDatabase, checkDesktops, checkModels, lookAtService(flags)],
    { concurrency: 4 }
  ).pipe(
    Effect.provide(
      Layer.mergeAll(Desktops.layer, ConfiguredModels.layer).pipe(
        Layer.provideMerge(Settings.layer),
        Layer.provide(NodeHttpClient.layerNodeHttp)
      )
    ),
    Effect.provide(logLayer)
  )
  yield* report([database, ...desktops, ...models, service], flags.json)
})
