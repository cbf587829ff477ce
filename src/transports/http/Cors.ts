/**
 * CORS as the original answers it: every origin with `*`; with CORS_ORIGINS set, those origins only, echoed, with
 * credentials (docs/contract/rest.md, "General").
 */

/** Headers for every response; `origins` undefined means all, `origin` is the request's. */
export const corsHeaders = (
  origins: ReadonlyArray<string> | undefined,
  origin: string | undefined
): Record<string, string> => {
  if (origins === undefined || origins.includes("*")) return { "access-control-allow-origin": "*" }
  if (origin === undefined || !origins.includes(origin)) return { vary: "Origin" }
  return { vary: "Origin", "access-control-allow-origin": origin, "access-control-allow-credentials": "true" }
}

/** Headers of the answer to any OPTIONS request; `requestedHeaders` is its Access-Control-Request-Headers. */
export const preflightHeaders = (
  origins: ReadonlyArray<string> | undefined,
  origin: string | undefined,
  requestedHeaders: string | undefined
): Record<string, string> => {
  const headers = corsHeaders(origins, origin)
  return {
    ...headers,
    "access-control-allow-methods": "GET,POST,PUT,DELETE,OPTIONS,PATCH",
    vary: [headers.vary, "Access-Control-Request-Headers"].filter((name) => name !== undefined).join(", "),
    ...(requestedHeaders === undefined ? {} : { "access-control-allow-headers": requestedHeaders })
  }
}
