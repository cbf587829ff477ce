// Writes what is derived from the table of settings: .env.example and the configuration tables in docs/settings.md.
import { resolve } from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, FileSystem } from "effect"
import { renderEnvExample, withMarkdownTable } from "./settingsDocs.ts"

const root = resolve(import.meta.dirname, "..")

const program = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  yield* files.writeFileString(resolve(root, ".env.example"), renderEnvExample())
  const pagePath = resolve(root, "docs/settings.md")
  const page = yield* files.readFileString(pagePath)
  yield* files.writeFileString(pagePath, yield* Effect.fromResult(withMarkdownTable(page)))
})

NodeRuntime.runMain(program.pipe(Effect.provide(NodeFileSystem.layer)))
