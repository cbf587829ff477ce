import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { parseEnv } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { renderEnvExample, renderMarkdownTable, withMarkdownTable } from "../../scripts/settingsDocs.ts"
import { settings as rows } from "../../src/config/SettingsTable.ts"

const root = resolve(import.meta.dirname, "../..")
const read = (name: string) => readFileSync(resolve(root, name), "utf8")

/** The names of docs/contract/configuration.md, without the OTEL_ family. */
const contract = [
  "DATABASE_URL",
  "PORT",
  "HOST",
  "LOG_LEVEL",
  "ANTHROPIC_API_KEY",
  "OPENAI_API_KEY",
  "GEMINI_API_KEY",
  "GOOGLE_API_KEY",
  "ANTHROPIC_BASE_URL",
  "OPENAI_BASE_URL",
  "GOOGLE_GEMINI_BASE_URL",
  "BYTEBOT_LLM_PROXY_URL",
  "BYTEBOT_DESKTOP_BASE_URL",
  "BYTEBOT_ANALYTICS_ENDPOINT",
  "CORS_ORIGINS",
  "REDIS_URL",
  "AUTH_ENABLED",
  "BETTER_AUTH_SECRET",
  "BETTER_AUTH_URL",
  "JWT_SECRET",
  "WORKERS",
  "BYTEBOT_DATA_DIR"
]

describe("the table of settings", () => {
  it("has every name once, and all of the contract's", () => {
    const names = rows.flatMap(({ name, aliases }) => [name, ...aliases])
    assert.deepStrictEqual(names, [...new Set(names)])
    assert.includeMembers(names, contract)
  })
})

describe(".env.example", () => {
  it("is in step with the table (if not: node scripts/settings-docs.ts)", () => {
    assert.strictEqual(read(".env.example"), renderEnvExample())
  })

  it("sets nothing as it is, and every setting to its default without its comment signs", () => {
    assert.deepStrictEqual({ ...parseEnv(renderEnvExample()) }, {})
    assert.deepStrictEqual(
      { ...parseEnv(renderEnvExample().replaceAll(/^#(?=[A-Z])/gm, "")) },
      Object.fromEntries(rows.map(({ name, default: text }) => [name, text ?? ""]))
    )
  })
})

describe("docs/settings.md", () => {
  it("is in step with the table (if not: node scripts/settings-docs.ts)", () => {
    const page = read("docs/settings.md")
    assert.strictEqual(Result.getOrThrow(withMarkdownTable(page)), page)
  })

  it("gets the tables between its markers and keeps the rest", () => {
    const page = "before\n<!-- settings:begin -->\nold\n<!-- settings:end -->\nafter\n"
    assert.deepStrictEqual(
      withMarkdownTable(page),
      Result.succeed(`before\n<!-- settings:begin -->\n\n${renderMarkdownTable()}\n\n<!-- settings:end -->\nafter\n`)
    )
    assert.isTrue(Result.isFailure(withMarkdownTable("no markers")))
  })

  it("has a row of three cells for every setting", () => {
    const cells = renderMarkdownTable()
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
    assert.sameMembers(
      cells.map(([name]) => name?.trim()),
      rows.map(({ name }) => `\`${name}\``)
    )
    assert.isTrue(cells.every(({ length }) => length === 3))
  })
})
