import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { parseAllDocuments } from "yaml"
import { HealthApi } from "../../src/api/HealthApi.ts"
import { defaultValues, settings } from "../../src/config/SettingsTable.ts"

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")
const documents = (name: string, folder = "base") =>
  parseAllDocuments(read(`deploy/kubernetes/${folder}/${name}.yaml`)).map((document): unknown => document.toJS())

const Port = Schema.Struct({ name: Schema.String, containerPort: Schema.Int })
const Probe = Schema.Struct({ httpGet: Schema.Struct({ path: Schema.String, port: Schema.String }) })
const Container = Schema.Struct({
  ports: Schema.Array(Port),
  env: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.optionalKey(Schema.String) })),
  startupProbe: Probe,
  readinessProbe: Probe,
  livenessProbe: Probe,
  lifecycle: Schema.Struct({
    preStop: Schema.Struct({ exec: Schema.Struct({ command: Schema.Tuple([Schema.String, Schema.NumberFromString]) }) })
  })
})
const StatefulSet = Schema.Struct({
  spec: Schema.Struct({
    serviceName: Schema.String,
    replicas: Schema.Int,
    template: Schema.Struct({
      spec: Schema.Struct({
        terminationGracePeriodSeconds: Schema.Int,
        securityContext: Schema.Struct({ runAsNonRoot: Schema.Literal(true) }),
        containers: Schema.Tuple([Container])
      })
    })
  })
})
const Service = Schema.Struct({
  metadata: Schema.Struct({ name: Schema.String }),
  spec: Schema.Struct({
    clusterIP: Schema.optionalKey(Schema.String),
    ports: Schema.Array(Schema.Struct({ port: Schema.Int, targetPort: Schema.String }))
  })
})
const Kustomization = Schema.Struct({
  resources: Schema.Array(Schema.String),
  configMapGenerator: Schema.Tuple([Schema.Struct({ literals: Schema.Array(Schema.String) })])
})
const Secret = Schema.Struct({ stringData: Schema.Record(Schema.String, Schema.String) })
const Policy = Schema.Struct({
  spec: Schema.Struct({
    ingress: Schema.Array(
      Schema.Struct({
        ports: Schema.Array(Schema.Struct({ port: Schema.String })),
        from: Schema.optionalKey(
          Schema.Array(
            Schema.Struct({
              podSelector: Schema.Struct({
                matchLabels: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
              })
            })
          )
        )
      })
    )
  })
})

const statefulSet = Schema.decodeUnknownSync(StatefulSet)(documents("statefulset")[0]).spec
const services = documents("service").map((document) => Schema.decodeUnknownSync(Service)(document))
const kustomization = Schema.decodeUnknownSync(Kustomization)(documents("kustomization")[0])
const forOutside = Schema.decodeUnknownSync(Kustomization)(documents("kustomization", "ingress")[0])
const pod = statefulSet.template.spec
const [container] = pod.containers
const environment = new Map(container.env.map(({ name, value }) => [name, value]))

describe("the manifests for Kubernetes", () => {
  it("set what are settings, and nothing else", () => {
    const known = settings.map(({ name }) => name)
    const own = [
      ...container.env.map(({ name }) => name).filter((name) => name !== "POD_NAME"),
      ...[kustomization, forOutside].flatMap(({ configMapGenerator: [{ literals }] }) =>
        literals.map((literal) => literal.split("=")[0] ?? "")
      )
    ]
    assert.deepStrictEqual(
      own.filter((name) => !known.includes(name)),
      []
    )
  })

  it("ask for health at routes that there are", () => {
    const paths = Object.values(HealthApi.endpoints).map(({ path }) => path)
    for (const { httpGet } of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
      assert.include(paths, httpGet.path)
      assert.include(
        container.ports.map(({ name }) => name),
        httpGet.port
      )
    }
  })

  it("name the service's ports, and services lead to them", () => {
    const ports = new Map(container.ports.map(({ containerPort, name }) => [name, containerPort]))
    assert.strictEqual(ports.get("http"), defaultValues.port)
    assert.strictEqual(String(ports.get("cluster")), environment.get("CLUSTER_PORT"))
    for (const { port, targetPort } of services.flatMap(({ spec }) => spec.ports)) {
      assert.strictEqual(ports.get(targetPort), port)
    }
  })

  it("give replicas addresses by the headless service", () => {
    const headless = services.find(({ spec }) => spec.clusterIP === "None")
    assert.strictEqual(headless?.metadata.name, statefulSet.serviceName)
    assert.strictEqual(environment.get("CLUSTER_HOST"), `$(POD_NAME).${statefulSet.serviceName}`)
    assert.strictEqual(environment.get("CLUSTER"), "true")
    assert.isAbove(statefulSet.replicas, 1)
  })

  it("leave time for preStop and the shutdown", () => {
    const [, preStop] = container.lifecycle.preStop.exec.command
    const shutdown = Number(environment.get("SHUTDOWN_TIMEOUT")) / 1000
    assert.isAbove(pod.terminationGracePeriodSeconds, preStop + shutdown)
  })

  it("let only replicas reach the replicas' port", () => {
    const { spec } = Schema.decodeUnknownSync(Policy)(documents("networkpolicy")[0])
    const rules = spec.ingress.filter(({ ports }) => ports.some(({ port }) => port === "cluster"))
    assert.deepStrictEqual(
      rules.map(({ from }) => from),
      [[{ podSelector: { matchLabels: { "app.kubernetes.io/name": "bytebot-agent" } } }]]
    )
  })

  it("give an example of the secret that holds settings' names and no values, and is part of no kustomization", () => {
    const { stringData } = Schema.decodeUnknownSync(Secret)(documents("secret.example", ".")[0])
    const secrets = settings.filter(({ name }) => name in stringData)
    assert.strictEqual(secrets.length, Object.keys(stringData).length)
    assert.includeMembers(Object.keys(stringData), ["DATABASE_URL", "BETTER_AUTH_SECRET"])
    for (const value of Object.values(stringData)) assert.strictEqual(value, "")
    for (const { resources } of [kustomization, forOutside]) assert.notMatch(resources.join(), /secret/)
  })

  it("are all part of the kustomization", () => {
    for (const resource of kustomization.resources) assert.isNotEmpty(documents(resource.replace(".yaml", "")))
    assert.include(kustomization.resources, "poddisruptionbudget.yaml")
  })
})
