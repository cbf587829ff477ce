import { Effect, Option } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { type ConsoleFile, consoleFiles } from "../ConsoleFiles.ts"

/** Nothing but the console's own files runs or loads, and it talks to this service alone. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

const notBuilt = HttpServerResponse.text("The console is not built. Run: npm run build\n", { status: 404 })
const notFound = HttpServerResponse.text("There is no such file\n", { status: 404 })

const answer = (file: ConsoleFile, cacheControl: string, takesGzip = false) =>
  HttpServerResponse.uint8Array(takesGzip ? file.gzipped : file.bytes, {
    contentType: file.type,
    headers: {
      "cache-control": cacheControl,
      "content-security-policy": policy,
      vary: "accept-encoding",
      ...(takesGzip ? { "content-encoding": "gzip" } : {})
    }
  })

/** The page at a path below `console/`: its base leads back to there, whatever the service is mounted below. */
const pageAt = ({ bytes, ...file }: ConsoleFile, path: string): ConsoleFile => {
  const up = "../".repeat(path.split("/").length - 1)
  const page = new TextEncoder().encode(
    new TextDecoder().decode(bytes).replace('<base href="./"', `<base href="${up === "" ? "./" : up}"`)
  )
  return { ...file, bytes: page }
}

/**
 * The console at `/console/`, from this package alone. Its addresses, such as `/console/tasks/ID`, all answer the page; files
 * have a hash in their names and never change.
 */
export const ConsoleRoutes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const files = yield* Effect.cached(consoleFiles)
    const serve = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const [address = ""] = request.url.split("?")
      const [, path] = /^\/console\/(.*)$/i.exec(address) ?? []
      if (path === undefined) return HttpServerResponse.redirect("console/")
      const known = yield* files
      if (Option.isNone(known)) return notBuilt
      const file = known.value.get(path)
      if (file !== undefined && path !== "index.html") {
        const takesGzip = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "")
        return answer(file, path.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache", takesGzip)
      }
      const page = known.value.get("index.html")
      if (page === undefined || /\.\w+$/.test(path)) return notFound
      return answer(pageAt(page, path), "no-cache")
    })
    yield* router.add("GET", "/console/*", serve)
  })
)
