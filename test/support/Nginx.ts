import { execFileSync, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { getCACertificates, setDefaultCACertificates } from "node:tls"
import { Effect } from "effect"
import { until } from "./Waiting.ts"

const page = new URL("../../docs/deployment.md", import.meta.url)

/** A fenced block of docs/deployment.md, by the word after its fence. */
const blockOf = (markdown: string, name: string): string => {
  const found = new RegExp(`\`\`\`${name}\\n([\\s\\S]*?)\`\`\``).exec(markdown)?.[1]
  if (found === undefined) throw new Error(`docs/deployment.md has no block named ${name}`)
  return found
}

/** The documented configuration, with the sub-path beside the root, for a service at `target` (`host:port`). */
const configuration = (markdown: string, folder: string, port: number, target: string): string => {
  const main = blockOf(markdown, "nginx")
  const location = /location \/ \{[\s\S]*?\n {2}\}\n/.exec(main)?.[0] ?? ""
  const underPath = blockOf(markdown, "nginx-location") + location.split("\n").slice(2).join("\n")
  const server = main
    .replace("server 127.0.0.1:9991;", `server ${target};`)
    .replace("listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`)
    .replaceAll(/\/etc\/ssl\/\w+\/agent\.example\.org/g, `${folder}/tls`)
    .replace(location, `${location}${underPath}`)
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join("\n")
  return `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr; user root; events {} http { access_log off; ${temporary}\n${server} }`
}

/** A certificate for 127.0.0.1 in the folder, which this process trusts from now on. */
const certify = (folder: string) => {
  const files = ["-keyout", `${folder}/tls.key`, "-out", `${folder}/tls.pem`]
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", ...files, ...subject], {
    stdio: "ignore"
  })
  setDefaultCACertificates([...getCACertificates("default"), readFileSync(`${folder}/tls.pem`, "utf8")])
}

/** Debian's nginx as docs/deployment.md has it, at a port of 127.0.0.1, until the scope closes. `folder` is its own. */
export const nginxBefore = Effect.fnUntraced(function* (service: string, port: number) {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "bytebot-nginx-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const markdown = yield* Effect.promise(() => readFile(page, "utf8"))
  const file = join(folder, "nginx.conf")
  yield* Effect.sync(() => certify(folder))
  yield* Effect.promise(() => writeFile(file, configuration(markdown, folder, port, new URL(service).host)))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn("nginx", ["-c", file, "-p", folder], { stdio: ["ignore", "inherit", "inherit"] })),
    (nginx) =>
      Effect.callback<void>((resume) => {
        if (nginx.exitCode !== null) return resume(Effect.void)
        nginx.once("exit", () => resume(Effect.void))
        nginx.kill("SIGTERM")
      })
  )
  const url = `https://127.0.0.1:${port}`
  yield* until(
    "nginx answers",
    Effect.promise(() =>
      child.exitCode === null
        ? fetch(`${url}/health/live`).then(
            ({ ok }) => (ok ? true : undefined),
            () => undefined
          )
        : Promise.reject(new Error("nginx ended"))
    )
  )
  return { url, folder }
})
