/** Bytes: no answer of a model or a list of models is near that. */
const largestAnswer = 64 * 1024 * 1024

/**
 * Node's own fetch gives up after 300 seconds without headers, whatever its caller says (https://github.com/nodejs/undici/issues/1373), and
 * takes no notice of HTTPS_PROXY and NO_PROXY. By its default export: the names of undici, which is CommonJS, are not exported in the bundle.
 */
let transport: ReturnType<typeof load> | undefined
const load = async () => {
  const { EnvHttpProxyAgent, fetch } = (await import("@effect/platform-node/Undici")).default
  return { fetch, dispatcher: new EnvHttpProxyAgent({ headersTimeout: 0, bodyTimeout: 0 }) }
}

/**
 * As the SDKs' `fetch`: the endpoint is what the settings say, so that redirects are not followed; an answer that does not end is broken
 * off.
 */
export const boundedFetch: typeof fetch = async (input, init) => {
  transport ??= load()
  const { dispatcher, fetch } = await transport
  const response = await fetch(input instanceof Request ? input.url : input, {
    method: init?.method ?? "GET",
    headers: Object.fromEntries(new Headers(init?.headers)),
    body: typeof init?.body === "string" || init?.body instanceof Uint8Array ? init.body : null,
    signal: init?.signal ?? null,
    redirect: "error",
    dispatcher
  })
  const { status, statusText } = response
  const answer = { status, statusText, headers: [...response.headers] }
  if (response.body === null) return new Response(null, answer)
  let size = 0
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        size += chunk.length
        if (size > largestAnswer) controller.error(new Error("The answer is too large"))
        else controller.enqueue(chunk)
      }
    })
  )
  return new Response(counted, answer)
}
