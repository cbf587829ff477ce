/** Bytes: no answer of a model or a list of models is near that. */
const largestAnswer = 64 * 1024 * 1024

/**
 * As the SDKs' `fetch`: the endpoint is what the settings say, so that redirects are not followed; an answer that does not end is broken
 * off.
 */
export const boundedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, { ...init, redirect: "error" })
  if (response.body === null) return response
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
  return new Response(counted, response)
}
