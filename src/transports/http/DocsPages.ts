import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiScalar } from "effect/http-api"
import { apiDocument, DocumentedApi } from "../../api/docs/ApiDocument.ts"
import { commands, events, eventsDocument, gap } from "../../api/docs/EventsDocument.ts"

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const json = (value: unknown): string => escaped(JSON.stringify(value, null, 2))

const eventSections = events.map(
  ({ example, kind, to, when }) =>
    `<h2 id="${kind}">${kind}</h2><p>${escaped(when)} To: ${escaped(to)}.</p><pre>${json(example)}</pre>`
)
const gapSection = `<h2 id="${gap.kind}">${gap.kind}</h2><p>${gap.when} To: ${gap.to}. Not over Socket.IO.</p><pre>id: 4711
event: gap
data: null</pre>`
const commandRows = commands.map(({ name, when }) => `<tr><td><code>${name}</code></td><td>${escaped(when)}</td></tr>`)

/** The events as a page, from the same schemas and examples as `/asyncapi.json`. */
const eventsPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bytebot agent: events</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}pre{background:#8881;padding:1rem;overflow:auto}td{padding:.2rem 1rem .2rem 0}</style>
<h1>Events</h1>
<p>Socket.IO, path <code>/socket.io/</code>, default namespace. Events follow the commit that caused them, and come in the order of the commits.
The same events are at <code>GET /events</code> and <code>GET /tasks/:id/events</code> as Server-Sent Events, and as streams of <code>/rpc</code>; there, every watcher gets message_delta.</p>
<table>${commandRows.join("")}</table>
${eventSections.join("\n")}
${gapSection}
<p><a href="../asyncapi.json">AsyncAPI</a> · <a href="../docs">REST</a></p>
</html>
`

/** Of the viewer, without what advertises its maker (https://github.com/scalar/scalar, documentation/configuration.md). */
const scalar = {
  withDefaultFonts: false,
  hideClientButton: true,
  showDeveloperTools: "never",
  telemetry: false,
  customCss: 'a[href^="https://www.scalar.com"] { display: none }'
}

/** The API's documents, all from this package: nothing is loaded from elsewhere. */
export const DocsPages = Layer.mergeAll(
  HttpRouter.addAll([
    HttpRouter.route("GET", "/openapi.json", Effect.succeed(HttpServerResponse.jsonUnsafe(apiDocument))),
    HttpRouter.route("GET", "/asyncapi.json", Effect.succeed(HttpServerResponse.jsonUnsafe(eventsDocument))),
    HttpRouter.route(
      "GET",
      "/docs/events",
      Effect.succeed(HttpServerResponse.text(eventsPage, { contentType: "text/html; charset=utf-8" }))
    )
  ]),
  HttpApiScalar.layer(DocumentedApi, { path: "/docs", scalar })
)
