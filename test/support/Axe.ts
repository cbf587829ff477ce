import axe from "axe-core"
import { Effect } from "effect"
import type { Page } from "playwright-core"

interface Violation {
  readonly rule: string
  readonly elements: ReadonlyArray<string>
}

/** What axe finds against the rules of WCAG 2.2 A and AA. */
export const violationsOf = (page: Page): Effect.Effect<ReadonlyArray<Violation>> =>
  Effect.promise(async () => {
    // By the debugger, which the page's Content-Security-Policy does not concern.
    await page.evaluate(axe.source)
    const found = await page.evaluate(
      "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) => violations.map(({ id, nodes }) => ({ rule: id, elements: nodes.map(({ html }) => html.slice(0, 200)) })))"
    )
    return Array.isArray(found) ? found : []
  })
