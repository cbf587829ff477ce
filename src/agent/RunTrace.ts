import { Clock, Duration, Effect, Exit, type Tracer } from "effect"
import { withoutCredentials } from "../config/Credentials.ts"
import { spanOf, traced } from "../observability/TraceParent.ts"
import type { Claim } from "../tasks/Claims.ts"

/** A span is only seen when it has ended: a run of hours is shown in parts of this length, each linked to the one before. */
const longestPart = Duration.toMillis("10 minutes")

/**
 * A run in the trace of the request that set its task going; names and attributes are those of OpenTelemetry's "Semantic conventions for
 * GenAI agent spans". A task that was handed back is linked to the request before.
 */
export class RunTrace {
  private readonly claim: Claim
  private part: { readonly span: Tracer.Span; readonly begun: number } | undefined

  constructor(claim: Claim) {
    this.claim = claim
  }

  /** Runs a step of the run, an iteration at most, in the current part. */
  readonly step = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(this.current(), (span) =>
      effect.pipe(
        Effect.withParentSpan(span, { captureStackTrace: false }),
        span.traceId === "noop" ? (same) => same : Effect.annotateLogs({ traceId: span.traceId }),
        traced
      )
    )

  /** Ends the last part as the run has ended. */
  readonly end = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    Effect.map(Clock.currentTimeNanos, (now) => {
      this.part?.span.end(now, exit)
      this.part = undefined
    })

  private readonly current = Effect.fnUntraced({ self: this }, function* (this: RunTrace) {
    const now = yield* Clock.currentTimeMillis
    if (this.part !== undefined && now - this.part.begun < longestPart) return this.part.span
    const before = this.part?.span ?? spanOf(this.claim.previousTraceparent)
    yield* this.end(Exit.void)
    const span = yield* this.make(before)
    this.part = { span, begun: now }
    return span
  })

  private make(before: Tracer.AnySpan | undefined): Effect.Effect<Tracer.Span> {
    const { lease, traceparent } = this.claim
    const cause = spanOf(traceparent)
    return Effect.makeSpan("invoke_agent bytebot-agent", {
      ...(cause === undefined ? { root: true } : { parent: cause }),
      links: before === undefined ? [] : [{ span: before, attributes: {} }],
      attributes: {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "bytebot-agent",
        "gen_ai.conversation.id": lease.taskId,
        "task.id": lease.taskId,
        "task.epoch": lease.epoch,
        "desktop.url": withoutCredentials(lease.desktop)
      }
    }).pipe(traced)
  }
}
