import { Context, Effect, Layer, type Scope } from "effect"
import { type BrowserContextOptions, chromium, type Page } from "playwright-core"

const executablePath = process.env.TEST_CHROMIUM ?? "/usr/bin/chromium"

/** Without them Chromium asks hosts of its own at every start. */
const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run"
]

/** A page, and what went wrong in it: errors of scripts, refusals of the Content-Security-Policy, requests to other hosts. */
export interface Tab {
  readonly page: Page
  readonly faults: ReadonlyArray<string>
}

/** Debian's Chromium. */
export class Browser extends Context.Service<
  Browser,
  { readonly open: (url: string, options?: BrowserContextOptions) => Effect.Effect<Tab, never, Scope.Scope> }
>()("test/Browser") {
  static readonly layer = Layer.effect(
    Browser,
    Effect.gen(function* () {
      const browser = yield* Effect.acquireRelease(
        Effect.promise(() => chromium.launch({ executablePath, args: quiet })),
        (browser) => Effect.promise(() => browser.close())
      )
      const open = Effect.fnUntraced(function* (url: string, options: BrowserContextOptions = {}) {
        const context = yield* Effect.acquireRelease(
          Effect.promise(() => browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })),
          (context) => Effect.promise(() => context.close())
        )
        const page = yield* Effect.promise(() => context.newPage())
        page.setDefaultTimeout(20_000)
        const faults: Array<string> = []
        page.on("pageerror", (error) => faults.push(error.message))
        page.on("console", (message) => {
          if (/Content Security Policy|Minified React error/i.test(message.text())) faults.push(message.text())
        })
        page.on("request", (request) => {
          const { host, protocol } = new URL(request.url())
          if (protocol.startsWith("http") && host !== new URL(url).host) faults.push(`A request to ${request.url()}`)
        })
        yield* Effect.promise(() => page.goto(url))
        return { page, faults }
      })
      return Browser.of({ open })
    })
  )
}
