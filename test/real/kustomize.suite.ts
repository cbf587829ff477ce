import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { parseAllDocuments } from "yaml"
import { requireProgram } from "../support/RealProgram.ts"

/** The manifests as the real kustomize renders them. */

const labels = { "app.kubernetes.io/name": "bytebot-agent" }
const isLabelled = Schema.is(Schema.Struct({ "app.kubernetes.io/name": Schema.Literal("bytebot-agent") }))

const Selector = Schema.Struct({ matchLabels: Schema.Record(Schema.String, Schema.String) })
const Rendered = Schema.Struct({
  kind: Schema.String,
  metadata: Schema.Struct({
    name: Schema.String,
    labels: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
  }),
  data: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  spec: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json))
})

const render = (folder: string): ReadonlyArray<typeof Rendered.Type> => {
  const path = fileURLToPath(new URL(`../../deploy/kubernetes/${folder}`, import.meta.url))
  const { status, stderr, stdout } = spawnSync("kubectl", ["kustomize", path], { encoding: "utf8" })
  assert.strictEqual(status, 0, stderr)
  return parseAllDocuments(stdout).map((document) => Schema.decodeUnknownSync(Rendered)(document.toJS()))
}

const specOf = (kind: string, rendered: ReadonlyArray<typeof Rendered.Type>) =>
  rendered.filter((one) => one.kind === kind).map(({ spec }) => spec ?? {})

const decodePolicy = Schema.decodeUnknownSync(
  Schema.Struct({
    ingress: Schema.Array(
      Schema.Struct({
        from: Schema.Array(Schema.Record(Schema.String, Schema.Json)),
        ports: Schema.Array(Schema.Struct({ port: Schema.String }))
      })
    )
  })
)

const selectorOf = (value: unknown) => Schema.decodeUnknownSync(Selector)(value).matchLabels

describe("kustomize", () => {
  beforeAll(() => requireProgram("kubectl", ["version", "--client"], "kubernetes-client"))

  for (const folder of ["base", "ingress"]) {
    it(`restricts every policy, budget and service of ${folder} to the service's own pods`, () => {
      const rendered = render(folder)
      const policies = specOf("NetworkPolicy", rendered)
      assert.isNotEmpty(policies)
      const [budget] = specOf("PodDisruptionBudget", rendered)
      const [set] = specOf("StatefulSet", rendered)
      for (const { podSelector } of policies) assert.deepStrictEqual(selectorOf(podSelector), labels)
      assert.deepStrictEqual(selectorOf(budget?.selector), labels)
      assert.deepStrictEqual(selectorOf(set?.selector), labels)
      const services = specOf("Service", rendered)
      assert.strictEqual(services.length, 2)
      for (const { selector } of services) assert.deepStrictEqual(selector, labels)
      for (const { kind, metadata } of rendered)
        if (kind !== "ConfigMap") assert.isTrue(isLabelled(metadata.labels), `${kind} ${metadata.name}`)
    })
  }

  it("lets pods of the same namespace reach the service, and with the ingress its controller's namespace", () => {
    const namespaces = (folder: string) =>
      specOf("NetworkPolicy", render(folder))
        .flatMap((spec) => decodePolicy(spec).ingress)
        .filter(({ ports }) => ports.some(({ port }) => port === "http"))
        .flatMap(({ from }) => from)
    assert.deepStrictEqual(namespaces("base"), [{ podSelector: {} }])
    const controller = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress-nginx" } } }
    assert.sameDeepMembers([...namespaces("ingress")], [{ podSelector: {} }, controller])
  })

  it("renders the ingress with TLS, the clients' addresses and accounts", () => {
    const rendered = render("ingress")
    const [ingress] = specOf("Ingress", rendered)
    const { tls } = Schema.decodeUnknownSync(
      Schema.Struct({
        tls: Schema.Array(Schema.Struct({ hosts: Schema.Array(Schema.String), secretName: Schema.String }))
      })
    )(ingress)
    const [settings] = rendered.filter(({ kind }) => kind === "ConfigMap").map(({ data }) => data)
    assert.strictEqual(settings?.BYTEBOT_PROXIES, "1")
    assert.strictEqual(settings?.AUTH_ENABLED, "true")
    assert.deepStrictEqual(
      tls.flatMap(({ hosts }) => hosts.map((host) => `https://${host}`)),
      [settings?.BETTER_AUTH_URL]
    )
  })

  it("renders no secret: keys come from a Secret of the cluster", () => {
    for (const folder of ["base", "ingress"]) {
      const rendered = render(folder)
      assert.isFalse(rendered.some(({ kind }) => kind === "Secret"))
      assert.notMatch(JSON.stringify(rendered.map(({ data }) => data)), /KEY|SECRET|PASSWORD|DATABASE_URL/)
      assert.include(JSON.stringify(specOf("StatefulSet", rendered)), '"secretRef":{"name":"bytebot-agent"}')
    }
  })
})
