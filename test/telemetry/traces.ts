import type { SpanRecord } from "../emulators/collector.ts"

/** The spans of a trace as text: each under its parent, in the order in which they began; `omit` leaves spans out with all that is in them. */
export const drawn = (
  spans: ReadonlyArray<SpanRecord>,
  traceId: string,
  omit: (span: SpanRecord) => boolean = () => false
): ReadonlyArray<string> => {
  const own = spans.filter((span) => span.traceId === traceId).sort((a, b) => Number(a.start - b.start))
  const ids = new Set(own.map(({ spanId }) => spanId))
  const under = (parent: string | undefined, depth: number): ReadonlyArray<string> =>
    own
      .filter(({ parentId }) => (parentId !== undefined && ids.has(parentId) ? parentId : undefined) === parent)
      .filter((span) => !omit(span))
      .flatMap((span) => [`${"  ".repeat(depth)}${span.name}`, ...under(span.spanId, depth + 1)])
  return under(undefined, 0)
}
