import type { IncomingMessage } from "node:http"

/** `uri-host [ ":" port ]` (RFC 9110, section 7.2; RFC 3986, section 3.2.2); its host may be empty. */
const authority =
  /^(?:\[(?:[\da-f:.]+|v[\da-f]+\.[\w.~!$&'()*+,;=:-]+)\]|(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})*)(?::\d*)?$/i

/** An absolute target, as proxies get it, up to its path; without user and password (RFC 9110, section 4.2.4). */
const absolute = /^https?:\/\/([^/?#]+)/i

/** Values of the Host header, each as it was sent: Node keeps the first one only. */
const hostsIn = (rawHeaders: ReadonlyArray<string>): ReadonlyArray<string> =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "host")

/**
 * Why a request is invalid that Node's parser accepts (RFC 9112, section 3.2): a Host header that is missing, repeated or malformed; a target
 * that the method does not allow, or that is not an address of HTTP.
 */
export const malformation = ({
  httpVersion,
  method,
  rawHeaders,
  url = ""
}: Pick<IncomingMessage, "httpVersion" | "method" | "rawHeaders" | "url">): string | undefined => {
  const [host, ...more] = hostsIn(rawHeaders)
  if (host === undefined) {
    if (httpVersion === "1.1") return "The request has no Host header"
  } else if (more.length > 0) return "The request has more than one Host header"
  else if (!authority.test(host)) return "The Host header is not a host"
  if (url === "*") return method === "OPTIONS" ? undefined : `The target of ${method} can't be *`
  if (url.startsWith("/")) return undefined
  const named = absolute.exec(url)?.[1]
  return named === undefined || !authority.test(named) ? "The request's target is not an address of HTTP" : undefined
}
