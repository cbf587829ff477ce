import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { withResults } from "../../bench/docs.ts"

const root = resolve(import.meta.dirname, "../..")

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
  "deploy/README.md"
]

const read = (page: string) => readFileSync(join(root, page), "utf8")

/** The name of a heading in a link, as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-")

const anchorsOf = (page: string) => [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading))

/** Links of a page that lead to no file or heading of this project; those to other sites are not followed. */
const deadLinks = (page: string) =>
  [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path = "", anchor] = target.split("#")
      const file = path === "" ? page : join(dirname(page), path)
      if (!existsSync(join(root, file))) return true
      return anchor !== undefined && !anchorsOf(file).includes(anchor)
    })

describe("the documents", () => {
  it.each(pages)("%s has links that lead somewhere", (page) => {
    assert.deepStrictEqual(deadLinks(page), [])
  })
})

describe("README.md", () => {
  it("has at most 10 kB", () => {
    assert.isAtMost(Buffer.byteLength(read("README.md")), 10_000)
  })

  it("links to every page of docs", () => {
    const linked = [...read("README.md").matchAll(/\]\((docs\/[\w-]+\.md)/g)].map(([, page]) => page)
    const written = pages.filter((page) => /^docs\/[\w-]+\.md$/.test(page))
    assert.deepStrictEqual(
      written.filter((page) => !linked.includes(page)),
      []
    )
  })
})

describe("docs/performance.md", () => {
  it("has the tables of bench/results, which npm run docs:performance writes", () => {
    const page = read("docs/performance.md")
    assert.strictEqual(page, withResults(page))
  })
})
