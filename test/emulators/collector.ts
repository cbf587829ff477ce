import { fileURLToPath } from "node:url"
import { Effect, Schema } from "effect"
import protobuf from "protobufjs"
import { closeServer, headersOf, listen, readBody, sendJson, serverOf } from "./httpServer.ts"

/** An OpenTelemetry collector (OTLP over HTTP, JSON and protobuf) that keeps what it is sent. */

const definitions = protobuf.loadSync(fileURLToPath(new URL("../fixtures/otlp/otlp.proto", import.meta.url)))

const messages = {
  "/v1/traces": "ExportTraceServiceRequest",
  "/v1/metrics": "ExportMetricsServiceRequest",
  "/v1/logs": "ExportLogsServiceRequest"
} as const

/** Ids are hex in OTLP's JSON and bytes in protobuf; 64-bit integers are strings, here as everywhere in JSON. */
const plain = { longs: String, enums: Number, bytes: String, defaults: false } as const

const AnyValue = Schema.Struct({
  stringValue: Schema.optionalKey(Schema.String),
  boolValue: Schema.optionalKey(Schema.Boolean),
  intValue: Schema.optionalKey(Schema.Union([Schema.String, Schema.Finite])),
  doubleValue: Schema.optionalKey(Schema.Finite),
  arrayValue: Schema.optionalKey(Schema.Json)
})
const KeyValues = Schema.Array(Schema.Struct({ key: Schema.String, value: AnyValue }))
const Attributes = Schema.optionalKey(KeyValues)
const Resource = Schema.Struct({ attributes: KeyValues })
const Nanos = Schema.Union([Schema.String, Schema.Finite])

const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeSpans: Schema.Array(
        Schema.Struct({
          spans: Schema.Array(
            Schema.Struct({
              traceId: Schema.String,
              spanId: Schema.String,
              parentSpanId: Schema.optionalKey(Schema.String),
              name: Schema.String,
              kind: Schema.Int,
              startTimeUnixNano: Nanos,
              endTimeUnixNano: Nanos,
              attributes: Attributes,
              links: Schema.optionalKey(Schema.Array(Schema.Struct({ traceId: Schema.String, spanId: Schema.String }))),
              status: Schema.optionalKey(Schema.Struct({ code: Schema.optionalKey(Schema.Int) }))
            })
          )
        })
      )
    })
  )
})

const Points = Schema.optionalKey(
  Schema.Struct({ dataPoints: Schema.Array(Schema.Struct({ attributes: Attributes })) })
)
const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeMetrics: Schema.Array(
        Schema.Struct({
          metrics: Schema.Array(
            Schema.Struct({
              name: Schema.String,
              unit: Schema.optionalKey(Schema.String),
              sum: Points,
              gauge: Points,
              histogram: Points
            })
          )
        })
      )
    })
  )
})

const Logs = Schema.Struct({
  resourceLogs: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeLogs: Schema.Array(
        Schema.Struct({
          logRecords: Schema.Array(
            Schema.Struct({
              body: AnyValue,
              traceId: Schema.optionalKey(Schema.String),
              attributes: Attributes
            })
          )
        })
      )
    })
  )
})

const decodeTraces = Schema.decodeUnknownSync(Traces)
const decodeMetrics = Schema.decodeUnknownSync(Metrics)
const decodeLogs = Schema.decodeUnknownSync(Logs)
const decodeJson = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Json))

type Value = string | number | boolean | null

export interface SpanRecord {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly name: string
  /** OTLP's number: 1 internal, 2 server, 3 client. */
  readonly kind: number
  readonly start: bigint
  readonly end: bigint
  readonly attributes: Readonly<Record<string, Value>>
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
  readonly isError: boolean
}

export interface CollectorEmulator {
  readonly url: string
  readonly spans: Array<SpanRecord>
  /** Names of the metrics, with the names of the attributes of their points. */
  readonly metrics: Map<string, ReadonlyArray<string>>
  readonly logs: Array<{ readonly body: Value; readonly traceId: string | undefined }>
  readonly requests: Array<{ readonly path: string; readonly headers: Readonly<Record<string, string>> }>
  /** Attributes of the resources that sent something. */
  readonly resources: Array<Readonly<Record<string, Value>>>
  /** What it answers from now on, instead of 200. */
  status: number
}

const valueOf = (value: typeof AnyValue.Type): Value =>
  value.stringValue ??
  value.boolValue ??
  (value.intValue === undefined
    ? (value.doubleValue ?? JSON.stringify(value.arrayValue ?? null))
    : Number(value.intValue))

const recordOf = (pairs: typeof KeyValues.Type = []): Readonly<Record<string, Value>> =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, valueOf(value)]))

/** Ids of protobuf come as base64. */
const hex = (id: string | undefined, isBinary: boolean): string | undefined =>
  id === undefined || id === "" ? undefined : isBinary ? Buffer.from(id, "base64").toString("hex") : id

export const start = async (): Promise<CollectorEmulator & { readonly close: () => Promise<void> }> => {
  const state: Omit<CollectorEmulator, "url"> = {
    spans: [],
    metrics: new Map(),
    logs: [],
    requests: [],
    resources: [],
    status: 200
  }

  const keep = (path: keyof typeof messages, body: unknown, isBinary: boolean): void => {
    if (path === "/v1/traces") {
      for (const { resource, scopeSpans } of decodeTraces(body).resourceSpans) {
        state.resources.push(recordOf(resource.attributes))
        for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
          state.spans.push({
            traceId: hex(span.traceId, isBinary) ?? "",
            spanId: hex(span.spanId, isBinary) ?? "",
            parentId: hex(span.parentSpanId, isBinary),
            name: span.name,
            kind: span.kind,
            start: BigInt(span.startTimeUnixNano),
            end: BigInt(span.endTimeUnixNano),
            attributes: recordOf(span.attributes),
            links: (span.links ?? []).map((link) => ({
              traceId: hex(link.traceId, isBinary) ?? "",
              spanId: hex(link.spanId, isBinary) ?? ""
            })),
            isError: span.status?.code === 2
          })
        }
      }
    } else if (path === "/v1/metrics") {
      for (const { scopeMetrics } of decodeMetrics(body).resourceMetrics) {
        for (const { gauge, histogram, name, sum } of scopeMetrics.flatMap(({ metrics }) => metrics)) {
          const points = (sum ?? gauge ?? histogram)?.dataPoints ?? []
          state.metrics.set(name, [
            ...new Set(points.flatMap(({ attributes = [] }) => attributes.map(({ key }) => key)))
          ])
        }
      }
    } else {
      for (const { scopeLogs } of decodeLogs(body).resourceLogs) {
        for (const { body: text, traceId } of scopeLogs.flatMap(({ logRecords }) => logRecords)) {
          state.logs.push({ body: valueOf(text), traceId: hex(traceId, isBinary) })
        }
      }
    }
  }

  const server = serverOf(async (request, response) => {
    const { bytes } = await readBody(request, 64 * 1024 * 1024)
    const path = Object.keys(messages).find((one) => one === request.url)
    if (request.method !== "POST" || (path !== "/v1/traces" && path !== "/v1/metrics" && path !== "/v1/logs")) {
      return sendJson(response, 404, {})
    }
    state.requests.push({ path, headers: headersOf(request) })
    if (state.status !== 200) return sendJson(response, state.status, {})
    const type = request.headers["content-type"]
    if (type === "application/x-protobuf") {
      const message = definitions.lookupType(`opentelemetry.${messages[path]}`)
      keep(path, message.toObject(message.decode(bytes), plain), true)
    } else if (type === "application/json") keep(path, decodeJson(bytes.toString("utf8")), false)
    else return sendJson(response, 415, {})
    sendJson(response, 200, {})
  })
  const { url } = await listen(server, {})
  return Object.assign(state, { url, close: () => closeServer(server) })
}

/** Runs until the scope closes. */
export const scoped = () =>
  Effect.acquireRelease(
    Effect.promise(() => start()),
    (collector) => Effect.promise(() => collector.close())
  )
