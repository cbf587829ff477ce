import { Duration } from "effect"

/** Bytes: no answer of a model or a list of models is near that. */
const largestAnswer = 64 * 1024 * 1024

/** A provider that sends a sign of life now and then, but never an end. */
const longestAnswer = Duration.toMillis("1 hour")

/** For the SDKs, whose own limit is for a whole answer, or for its headers: not the one that ends a call. */
export const sdkTimeout = 2 * longestAnswer

/**
 * Node's own fetch gives up after 300 seconds without headers, whatever its caller says (https://github.com/nodejs/undici/issues/1373), and
 * takes no notice of HTTPS_PROXY and NO_PROXY. Loaded when first used.
 */
let transport: ReturnType<typeof load> | undefined
const load = async () => {
  // The bundle has no names of a CommonJS module, but its default export.
  const { EnvHttpProxyAgent, fetch } = (await import("@effect/platform-node/Undici")).default
  return { fetch, dispatcher: new EnvHttpProxyAgent({ headersTimeout: 0, bodyTimeout: 0 }) }
}

/**
 * As the SDKs' `fetch`: the endpoint is what the settings say, so that redirects are not followed. A call is broken off after `silence`
 * without a byte, before the headers or after them, and an answer that does not end.
 */
export const boundedFetch =
  (silence: Duration.Duration): typeof fetch =>
  async (input, init) => {
    transport ??= load()
    const { dispatcher, fetch } = await transport
    const limits = new CallLimits(Duration.toMillis(silence))
    const signals = [limits.signal, ...(init?.signal ? [init.signal] : [])]
    try {
      const response = await fetch(input instanceof Request ? input.url : input, {
        method: init?.method ?? "GET",
        headers: Object.fromEntries(new Headers(init?.headers)),
        body: typeof init?.body === "string" || init?.body instanceof Uint8Array ? init.body : null,
        signal: AbortSignal.any(signals),
        redirect: "error",
        dispatcher
      })
      const { headers, status, statusText } = response
      const body = response.body === null ? null : limits.watch(response.body)
      if (body === null) limits.end()
      return new Response(body, { status, statusText, headers: [...headers] })
    } catch (error) {
      limits.end()
      throw limits.problem ?? error
    }
  }

/** What ends a call: silence, too long or too large an answer. */
class CallLimits {
  /** What was exceeded. */
  problem: Error | undefined
  private readonly controller = new AbortController()
  private readonly silence: NodeJS.Timeout
  private readonly length: NodeJS.Timeout
  private size = 0

  constructor(silence: number) {
    const seconds = Math.round(silence / 100) / 10
    this.silence = setTimeout(() => this.exceeded(`no byte came for ${seconds} seconds`), silence)
    this.length = setTimeout(() => this.exceeded("the answer did not end within an hour"), longestAnswer)
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  end(): void {
    clearTimeout(this.silence)
    clearTimeout(this.length)
  }

  /** The same bytes; ends, also where the reader goes away, with the call. */
  watch(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    this.silence.refresh()
    const reader = body.getReader()
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read()
          if (done) {
            this.end()
            return controller.close()
          }
          this.silence.refresh()
          this.size += value.length
          if (this.size > largestAnswer) this.exceeded("the answer is too large")
          controller.enqueue(value)
        } catch (error) {
          this.end()
          throw this.problem ?? error
        }
      },
      cancel: (reason) => {
        this.end()
        return reader.cancel(reason)
      }
    })
  }

  private exceeded(words: string): void {
    this.problem = new Error(words)
    this.controller.abort(this.problem)
  }
}
