import { isRecord } from "./httpServer.ts"

/** Things that go wrong, on purpose. */

/** One request to the daemon. Times are ms since the emulator started. */
export interface DesktopRequest {
  readonly t: number
  /** Method and path, e.g. "POST /computer-use". */
  readonly req: string
  /** Parsed JSON; null without a body, text when it is not JSON. */
  readonly body: unknown
  readonly headers: Readonly<Record<string, string>>
  /** The Idempotency-Key header, if any. */
  readonly idempotencyKey: string | null
  /** The action was carried out for this request. */
  executed: boolean
  /** Status of the answer, null as long as there is none. */
  status: number | null
  /** The connection ended before the answer was complete. */
  aborted: boolean
  /** When the answer was complete or the connection gone. */
  endedAt: number | null
}

export interface Fault {
  /** An action's name, a method and path ("POST /input-tracking/start"), or a function; default: every request. "GET /" must be named. */
  readonly match?: string | ((request: DesktopRequest) => boolean)
  /** The first matching request it befalls, counted from now; default 1, the next. */
  readonly nth?: number
  /** How many matching requests from there on; default 1. */
  readonly times?: number
  /** The action is carried out before things go wrong, so only the answer is lost or late; default false. */
  readonly executed?: boolean
  /** Waits so many ms; alone, the request is then served as usual. */
  readonly delayMs?: number
  /** Waits for this; alone, the request is then served as usual. */
  readonly until?: Promise<unknown>
  /** Answers with this status and `body`. */
  readonly status?: number
  /** Default: the framework's body for an internal error. */
  readonly body?: unknown
  /** With `status`: answers with exactly this text instead, for JSON that no encoder writes. */
  readonly text?: string
  /** Cuts the connection. */
  readonly drop?: boolean
  /** Never answers. */
  readonly hang?: boolean
}

/** The action's name in a request to /computer-use. */
export const actionName = (request: DesktopRequest): string | undefined =>
  isRecord(request.body) && typeof request.body.action === "string" ? request.body.action : undefined

/** Whether the desktop is there may be asked at any time: that befalls only what is meant for it. */
const concerns = ({ match }: Fault, request: DesktopRequest): boolean => {
  if (request.req === "GET /") return match === request.req
  if (match === undefined) return true
  if (typeof match === "function") return match(request)
  return match === actionName(request) || match === request.req
}

export class Faults {
  #planned: Array<{ readonly fault: Fault; seen: number }> = []

  add(fault: Fault): void {
    this.#planned.push({ fault, seen: 0 })
  }

  /** Counts the request for every fault it matches; the first one whose turn it is. */
  next(request: DesktopRequest): Fault | undefined {
    let found: Fault | undefined
    for (const plan of this.#planned) {
      if (!concerns(plan.fault, request)) continue
      plan.seen++
      const first = plan.fault.nth ?? 1
      if (found === undefined && plan.seen >= first && plan.seen < first + (plan.fault.times ?? 1)) found = plan.fault
    }
    this.#planned = this.#planned.filter(({ fault, seen }) => seen < (fault.nth ?? 1) + (fault.times ?? 1) - 1)
    return found
  }

  clear(): void {
    this.#planned = []
  }
}
