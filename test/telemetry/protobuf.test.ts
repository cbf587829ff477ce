import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { HttpBody } from "effect/http"
import { OtlpSerialization, type OtlpTracer } from "effect/observability"
import * as ProtobufTraces from "../../src/observability/ProtobufTraces.ts"

type Span = OtlpTracer.ResourceSpan["scopeSpans"][number]["spans"][number]

const bytesOf = (body: HttpBody.HttpBody) => {
  if (body._tag !== "Uint8Array") return assert.fail(body._tag)
  return { type: body.contentType, bytes: Buffer.from(body.body).toString("hex") }
}

const span = (more: Partial<Span>): Span => ({
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  parentSpanId: undefined,
  name: "GET /tasks/:id",
  kind: 2,
  startTimeUnixNano: "1795000000000000001",
  endTimeUnixNano: "1795000000123456789",
  attributes: [],
  droppedAttributesCount: 0,
  events: [],
  droppedEventsCount: 0,
  status: { code: 1 },
  links: [],
  droppedLinksCount: 0,
  ...more
})

const attributes = [
  { key: "text", value: { stringValue: "ä€😀 and a lone \ud83d" } },
  { key: "empty", value: { stringValue: "" } },
  { key: "long", value: { stringValue: "SELECT ".repeat(50_000) } },
  { key: "yes", value: { boolValue: true } },
  { key: "no", value: { boolValue: false } },
  ...[0, 1, 127, 128, 16_384, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, -1, Number.MIN_SAFE_INTEGER].map((value) => ({
    key: `int ${value}`,
    value: { intValue: value }
  })),
  { key: "largest", value: { intValue: "9223372036854775807" } },
  { key: "least", value: { intValue: "-9223372036854775808" } },
  ...[0.5, -1e300, Number.NaN, Number.NEGATIVE_INFINITY].map((value) => ({
    key: `double ${value}`,
    value: { doubleValue: value }
  })),
  { key: "array", value: { arrayValue: { values: [{ stringValue: "a" }, { arrayValue: { values: [] } }] } } },
  { key: "list", value: { kvlistValue: { values: [{ key: "k", value: { intValue: 1 } }] } } },
  { key: "bytes", value: { bytesValue: new Uint8Array([0, 255, 128]) } },
  { key: "nothing", value: {} }
]

const data: OtlpTracer.TraceData = {
  resourceSpans: [
    {
      resource: { attributes, droppedAttributesCount: 3 },
      scopeSpans: [
        {
          scope: { name: "bytebot-agent", version: "0.1.0" },
          spans: [
            span({}),
            span({ parentSpanId: "00f067aa0ba902b7", kind: 0, status: { code: 0 }, droppedLinksCount: 1 }),
            span({
              attributes,
              droppedAttributesCount: 200,
              status: { code: 2, message: "Nicht gefunden: größer" },
              events: [
                { name: "exception", timeUnixNano: "1795000000000000002", attributes, droppedAttributesCount: 1 },
                { name: "", timeUnixNano: "0", attributes: [], droppedAttributesCount: 0 }
              ],
              droppedEventsCount: 2,
              links: [
                {
                  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
                  spanId: "00f067aa0ba902b7",
                  attributes,
                  droppedAttributesCount: 5
                }
              ]
            })
          ]
        },
        { scope: { name: "empty" }, spans: [] }
      ]
    }
  ]
}

it.effect("spans become the same protobuf as Effect's encoder makes of them", () =>
  Effect.gen(function* () {
    const traces = Effect.map(OtlpSerialization.OtlpSerialization, (serialization) => serialization.traces(data))
    const ours = yield* Effect.provide(traces, ProtobufTraces.layer)
    const expected = yield* Effect.provide(traces, OtlpSerialization.layerProtobuf)
    assert.deepStrictEqual(bytesOf(ours), bytesOf(expected))
  })
)
