import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { parse } from "yaml"
import { HealthApi } from "../../src/api/HealthApi.ts"
import { defaultValues, settings } from "../../src/config/SettingsTable.ts"

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

/** Instructions of the Dockerfile, continued lines joined, without comments. */
const instructions = read("Dockerfile")
  .replaceAll(/\\\n\s*/g, " ")
  .split("\n")
  .filter((line) => line.trim() !== "" && !line.startsWith("#"))
  .map((line) => ({ name: line.split(" ", 1)[0] ?? "", rest: line.slice(line.indexOf(" ") + 1) }))
const all = (name: string) => instructions.filter((instruction) => instruction.name === name).map(({ rest }) => rest)

/** As hadolint's rules (their codes in the titles) and Docker's own advice have it. */
describe("the Dockerfile", () => {
  it("pins a slim base by its digest, the same in all stages (DL3006, DL3007)", () => {
    assert.deepStrictEqual(
      all("FROM"),
      ["bundle", "dependencies", ""].map((stage) => `\${NODE_IMAGE}${stage === "" ? "" : ` AS ${stage}`}`)
    )
    const [image = ""] = all("ARG")
    assert.match(image, /^NODE_IMAGE=node:24-slim@sha256:[0-9a-f]{64}$/)
  })

  it("installs what the lockfile says, in the end without what is for development and without scripts of others", () => {
    const installs = all("RUN").filter((command) => command.includes("npm"))
    for (const install of installs) assert.match(install, /^npm ci --ignore-scripts/)
    assert.match(installs.at(-1) ?? "", / --omit=dev /)
  })

  it("is no superuser at the end (DL3002), works in an absolute folder (DL3000), and starts without a shell (DL3025)", () => {
    assert.deepStrictEqual(all("USER"), ["node"])
    for (const folder of all("WORKDIR")) assert.match(folder, /^\//)
    assert.deepStrictEqual(all("CMD"), ['["node", "dist/service/main.js"]'])
    assert.deepStrictEqual(all("ADD"), [], "COPY is enough (DL3020)")
  })

  it("is asked for its health at a route that there is, on the port that it listens on", () => {
    const [check = ""] = all("HEALTHCHECK")
    const path = /(\/health\/\w+)/.exec(check)?.[1] ?? ""
    assert.include(
      Object.values(HealthApi.endpoints).map((endpoint): string => endpoint.path),
      path
    )
    assert.include(check, `|| ${defaultValues.port}`)
    assert.deepStrictEqual(all("EXPOSE"), [`${defaultValues.port} ${defaultValues.clusterPort}`])
  })

  it("copies what the service reads, and keeps what is not for it out of the way", () => {
    const copied = all("COPY").join("\n")
    for (const needed of ["package.json", "./migrations", "./src", "./bin", "./dist", "./node_modules"])
      assert.include(copied, needed)
    const ignored = read(".dockerignore").split("\n")
    for (const name of [".env", ".git", "node_modules", ".data", "test/*"]) assert.include(ignored, name)
  })
})

const Confined = {
  read_only: Schema.Literal(true),
  cap_drop: Schema.Tuple([Schema.Literal("ALL")]),
  security_opt: Schema.Tuple([Schema.Literal("no-new-privileges:true")])
}

const Compose = Schema.Struct({
  services: Schema.Struct({
    agent: Schema.Struct({
      environment: Schema.Record(Schema.String, Schema.String),
      env_file: Schema.Array(Schema.Struct({ path: Schema.Literal(".env"), required: Schema.Literal(false) })),
      ports: Schema.Array(Schema.String),
      depends_on: Schema.Struct({ database: Schema.Struct({ condition: Schema.Literal("service_healthy") }) }),
      stop_grace_period: Schema.String,
      ...Confined
    }),
    database: Schema.Struct({
      image: Schema.String,
      environment: Schema.Record(Schema.String, Schema.String),
      healthcheck: Schema.Struct({ test: Schema.Array(Schema.String) }),
      ...Confined
    }),
    desktop: Schema.Struct({ image: Schema.String, profiles: Schema.Tuple([Schema.Literal("bytebot")]) }),
    ui: Schema.Struct({
      image: Schema.String,
      profiles: Schema.Tuple([Schema.Literal("bytebot")]),
      environment: Schema.Record(Schema.String, Schema.String)
    })
  }),
  volumes: Schema.Record(Schema.String, Schema.Json)
})

/**
 * A value as Compose interpolates it, null where a required variable is missing. The forms `:-`, `:?` and `:+`, also nested, are the shell's
 * (https://docs.docker.com/reference/compose-file/interpolation), so that a shell shows what they become.
 */
const interpolated = (text: string | undefined, variables: Readonly<Record<string, string>>): string | null => {
  const { status, stdout } = spawnSync("/bin/sh", ["-c", `printf %s "${text}"`], { env: variables, encoding: "utf8" })
  return status === 0 ? stdout : null
}

describe("compose.yaml", () => {
  const document: unknown = parse(read("compose.yaml"))
  const { services } = Schema.decodeUnknownSync(Compose)(document)

  it("sets what are settings", () => {
    const known = settings.map(({ name }) => name)
    assert.deepStrictEqual(
      Object.keys(services.agent.environment).filter((name) => !known.includes(name)),
      []
    )
  })

  it("publishes the service's port on this machine only, and the UI finds it", () => {
    assert.deepStrictEqual(services.agent.ports, [
      `\${BYTEBOT_PUBLISH:-127.0.0.1:${defaultValues.port}}:${defaultValues.port}`
    ])
    assert.strictEqual(services.ui.environment.BYTEBOT_AGENT_BASE_URL, `http://agent:${defaultValues.port}`)
  })

  it("pins the database by its digest", () => {
    assert.match(services.database.image, /^postgres:18@sha256:[0-9a-f]{64}$/)
  })

  it("does not start without a password, which the service and the database share", () => {
    const [inUrl, own] = [services.agent.environment.DATABASE_URL, services.database.environment.POSTGRES_PASSWORD]
    for (const text of [inUrl, own]) {
      assert.isNull(interpolated(text, {}))
      assert.isNull(interpolated(text, { POSTGRES_PASSWORD: "" }))
    }
    assert.strictEqual(interpolated(own, { POSTGRES_PASSWORD: "s3cret" }), "s3cret")
    assert.include(interpolated(inUrl, { POSTGRES_PASSWORD: "s3cret" }), ":s3cret@database:")
  })

  it("configures a desktop where a profile starts one or a setting names one, and none otherwise", () => {
    const desktop = services.agent.environment.BYTEBOT_DESKTOP_BASE_URL
    assert.strictEqual(interpolated(desktop, {}), "")
    assert.strictEqual(interpolated(desktop, { COMPOSE_PROFILES: "bytebot" }), "http://desktop:9990")
    const own = { BYTEBOT_DESKTOP_BASE_URL: "http://other:9990" }
    assert.strictEqual(interpolated(desktop, own), "http://other:9990")
    assert.strictEqual(interpolated(desktop, { ...own, COMPOSE_PROFILES: "bytebot" }), "http://other:9990")
  })

  it("lets the service end in its own time", () => {
    const grace = Number(/^(\d+)s$/.exec(services.agent.stop_grace_period)?.[1]) * 1000
    assert.isAbove(grace, Number(defaultValues.shutdownTimeout.toString().match(/\d+/)?.[0] ?? 0))
  })
})
