const quiet = /^(?:\/api)?\/(?:health(?:\/\w+)?|metrics)\/?$/i

/** Requests that orchestrators and Prometheus send every few seconds; `url` is the request's target. */
export const isQuiet = (url: string): boolean => quiet.test(url.split("?", 1)[0] ?? "")
