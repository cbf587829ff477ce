import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

const files = ["anthropic.ts", "desktop.ts", "google.ts", "openai.ts", "proxy.ts"]

it.each(files)("%s says with --help what it is and which flags it has", (file) => {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const help = execFileSync(process.execPath, [path, "--help"], { encoding: "utf8" })
  expect(help).toMatch(/ emulator: answers as /)
  expect(help).toMatch(/--port .*98\d\d/)
})

it.each(files)("%s runs as a process of its own", async (file) => {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = spawn(process.execPath, [path, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] })
  const exit = once(child, "exit")
  try {
    const [line] = await once(createInterface({ input: child.stdout }), "line")
    const [url = ""] = /http:\/\/127\.0\.0\.1:\d+/.exec(String(line)) ?? []
    const ledger: unknown = await fetch(`${url}/__ledger`).then((response) => response.json())
    expect(ledger).toMatchObject({ requests: [] })
  } finally {
    child.kill("SIGTERM")
  }
  expect(await exit).toEqual([0, null])
})
