import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { Arbitrary } from "effect"
import { among, integer, json, mostly, oneOf, text } from "./Values.ts"

/** Requests as the bytes of a connection, one character a byte. */

type Header = readonly [name: string, value: string]

interface Parts {
  readonly method: string
  readonly target: string
  readonly headers: ReadonlyArray<Header>
  readonly body: string
}

/** The text's bytes in UTF-8, one character each. */
export const bytesOf = (value: string): string => Buffer.from(value).toString("latin1")

/** What is sent; the length of the body is stated unless the headers say something of their own. */
export const render = ({ body, headers, method, target }: Parts): string => {
  const isFramed = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name))
  const lines = [
    `${method} ${target} HTTP/1.1`,
    "Host: fuzz",
    "Connection: close",
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(isFramed || (body === "" && method === "GET") ? [] : [`Content-Length: ${body.length}`])
  ]
  return `${lines.join("\r\n")}\r\n\r\n${body}`
}

const all = <A, B>(first: Arbitrary.Arbitrary<A>, second: Arbitrary.Arbitrary<B>) => Arbitrary.all([first, second])

/** Text as a browser would put it into a URL, or as it comes. */
const escaped = Arbitrary.map(all(text, integer(0, 2)), ([value, how]) => {
  if (how === 0) return encodeURIComponent(value.toWellFormed())
  return how === 1 ? encodeURI(value.toWellFormed()).slice(0, 12_000) : bytesOf(value).replaceAll(/[\s\0-\x20]/g, "")
})

const id = mostly(escaped, among("any", "00000000-0000-4000-8000-000000000000", ".", "..", ";", "#", "%2f", "%252f"))

const path = Arbitrary.map(
  all(id, integer(0, 24)),
  ([name, index]) =>
    [
      "/",
      "/tasks",
      "/tasks/models",
      "/desktops",
      "/health",
      "/health/detailed",
      "/health/ready",
      "/health/live",
      "/metrics",
      "/docs",
      "/openapi.json",
      "/rpc",
      "/auth/get-session",
      "/events",
      "/ws-stats",
      `/tasks/${name}`,
      `/tasks/${name}/messages`,
      `/tasks/${name}/messages/raw`,
      `/tasks/${name}/messages/processed`,
      `/tasks/${name}/usage`,
      `/tasks/${name}/takeover`,
      `/tasks/${name}/resume`,
      `/tasks/${name}/cancel`,
      `/${name}`,
      `//${name}/../tasks`
    ][index] ?? "/"
)

const parameter = all(
  oneOf(among("page", "limit", "status", "statuses", "priority", "type", "page[]", "page[a]", "__proto__"), escaped),
  oneOf(among("0", "1", "-1", "1e9", "PENDING", "PENDING,RUNNING", ",", "NaN", "5abc", "99999999999999999999"), escaped)
)

const query = Arbitrary.map(all(Arbitrary.array(parameter, { maxLength: 5 }), integer(0, 30)), ([list, odd]) => {
  if (odd === 0) return `?${"page=1&".repeat(2_000)}`
  if (odd === 1) return `?page${"[0]".repeat(2_000)}=1`
  if (odd === 2) return "?"
  return list.length === 0 ? "" : `?${list.map(([name, value]) => `${name}=${value}`).join("&")}`
})

const target = Arbitrary.map(
  all(all(among("", "", "", "/api", "/API", "http://other.example"), path), query),
  ([[prefix, place], rest]) => `${prefix}${place}${rest}`.slice(0, 14_000)
)

/** What a header may hold: no line breaks, which raw requests have. */
const headerText = Arbitrary.map(text, (value) =>
  bytesOf(value)
    .replaceAll(/[\0\r\n]/g, " ")
    .slice(0, 9_000)
)

const headerName = among(
  ...["Accept", "Accept-Encoding", "Authorization", "Cookie", "Origin", "Referer", "If-None-Match", "Range", "Host"],
  ...["X-Forwarded-For", "X-Forwarded-Host", "X-Http-Method-Override", "Access-Control-Request-Headers", "Upgrade"],
  ...["Content-Type", "Content-Encoding", "traceparent", "b3", "Expect", "Forwarded", "If-Modified-Since", "TE"]
)

const headers = Arbitrary.array(Arbitrary.all([headerName, headerText]), { maxLength: 4 })

const method = mostly(
  among("GET", "GET", "POST", "DELETE"),
  among("PATCH", "PUT", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "SEARCH", "M-SEARCH", "get", "CONNECT")
)

const plain = Arbitrary.map(
  Arbitrary.all([method, target, headers, mostly(Arbitrary.Constant(""), json)]),
  ([verb, place, list, body]) => render({ method: verb, target: place, headers: list, body: bytesOf(body) })
)

const writable = Arbitrary.map(id, (name) => name).pipe((names) =>
  oneOf(
    among("/tasks", "/api/tasks", "/tasks/", "/tasks/any/resume"),
    Arbitrary.map(names, (name) => `/tasks/${name}/messages`)
  )
)

const charset = among("", "", "; charset=utf-8", "; charset=UTF-16", "; charset=latin1", '; charset="', ";;;=", "; q")

const compressed = (body: string, encoding: string): string => {
  const bytes = Buffer.from(body, "latin1")
  switch (encoding) {
    case "gzip":
      return gzipSync(bytes).toString("latin1")
    case "deflate":
      return deflateSync(bytes).toString("latin1")
    case "br":
      return brotliCompressSync(bytes).toString("latin1")
    default:
      return body
  }
}

const encodings = ["", "", "", "gzip", "deflate", "br", "identity", "zstd", "gzip, gzip", "GZIP", "compress"]

/** POST and the like with a body of the type; now and then cut, or in another encoding than stated. */
const withBody = (contentType: string, body: Arbitrary.Arbitrary<string>) =>
  Arbitrary.map(
    Arbitrary.all([
      mostly(among("POST"), among("PATCH", "PUT", "GET", "DELETE")),
      writable,
      charset,
      among(...encodings),
      integer(0, 9),
      body
    ]),
    ([verb, place, parameters, encoding, damage, content]) => {
      const whole = compressed(bytesOf(content), damage === 0 ? "gzip" : encoding)
      return render({
        method: verb,
        target: place,
        headers: [
          ["Content-Type", `${contentType}${parameters}`],
          ...(encoding === "" ? [] : [["Content-Encoding", encoding] as const])
        ],
        body: damage === 1 ? whole.slice(0, whole.length >> 1) : whole
      })
    }
  )

const formField = all(
  oneOf(
    among("description", "message", "model[provider]", "model[name]", "files[0][name]", "files[0][base64]", "files[]"),
    among("__proto__[x]", "constructor[prototype][x]", `a${"[b]".repeat(500)}`, "[]", "]", "a[999999999]", "&&"),
    escaped
  ),
  escaped
)

const form = Arbitrary.map(all(Arbitrary.array(formField, { maxLength: 8 }), integer(0, 20)), ([fields, odd]) =>
  odd === 0 ? "a=1&".repeat(5_000) : fields.map(([name, value]) => `${name}=${value}`).join("&")
)

const part = Arbitrary.map(
  Arbitrary.all([text, text, text, among("", "; filename*=utf-8''%zz", "; filename=", "; name=x")]),
  ([name, file, content, more]) =>
    `--edge\r\nContent-Disposition: form-data; name="${name}"; filename="${file}"${more}\r\n\r\n${content}\r\n`
)

const multipart = Arbitrary.map(
  all(Arbitrary.array(part, { maxLength: 5 }), among("--edge--\r\n", "--edge--", "--edge", "", "--edge\r\n\r\n")),
  ([parts, end]) => parts.join("") + end
)

/** New tasks and messages that are nearly right: one of their fields is not. */
const nearlyTask = Arbitrary.map(
  Arbitrary.all([
    among("type", "priority", "createdBy", "scheduledFor", "model", "files", "desktop", "description", "message"),
    json
  ]),
  ([field, value]) =>
    `{"description":"fuzz","model":{"provider":"anthropic","name":"m"},"message":"fuzz",${JSON.stringify(field)}:${value}}`
)

const nearlyFile = Arbitrary.map(
  Arbitrary.all([among("name", "base64", "type", "size"), json]),
  ([field, value]) =>
    `{"description":"fuzz","files":[{"name":"a","base64":"AAAA","type":"t","size":3,"${field}":${value}}]}`
)

/** Framing that readers of HTTP may understand differently (RFC 9112, section 11.2), and other damage to the bytes. */
const framing: ReadonlyArray<ReadonlyArray<Header>> = [
  [
    ["Content-Length", "5"],
    ["Transfer-Encoding", "chunked"]
  ],
  [
    ["Content-Length", "5"],
    ["Content-Length", "6"]
  ],
  [["Content-Length", "5, 5"]],
  [["Content-Length", "+5"]],
  [["Content-Length", "-1"]],
  [["Content-Length", "0x5"]],
  [["Content-Length", "99999999999999999999"]],
  [["Content-Length", "5 5"]],
  [["Content-Length", ""]],
  [["Content-Length ", "5"]],
  [["Transfer-Encoding", "xchunked"]],
  [["Transfer-Encoding", "chunked, identity"]],
  [["Transfer-Encoding", "gzip, chunked"]],
  [["Transfer-Encoding", "\x0bchunked"]],
  [
    ["Transfer-Encoding", "chunked"],
    ["Transfer-Encoding", "cow"]
  ],
  [["Transfer-Encoding", "chunked"]],
  [["X: y\r\nTransfer-Encoding", "chunked"]],
  [["X\0Y", "z"]],
  [["X", "a\rb"]],
  [["X", "a\nTransfer-Encoding: chunked"]],
  [[" X", "folded"]],
  [["X", "a\r\n b"]],
  [["", "no name"]],
  [["Expect", "100-continue"]],
  [["Expect", "200-maybe"]],
  [["Host", "other"]],
  [["Host", ""]],
  [
    ["Connection", "upgrade"],
    ["Upgrade", "websocket"]
  ],
  [
    ["Connection", "upgrade"],
    ["Upgrade", "h2c"]
  ],
  Array.from({ length: 1_500 }, (_, index) => [`X-${index}`, "1"] as const),
  [["X", "y".repeat(20_000)]]
]

const chunkedBodies = [
  "5\r\nhello\r\n0\r\n\r\n",
  "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
  "5;a=b\r\nhello\r\n0\r\n\r\n",
  `5;${"x".repeat(30_000)}\r\nhello\r\n0\r\n\r\n`,
  "fffffffffffffffff\r\nhello\r\n",
  "-1\r\nx\r\n0\r\n\r\n",
  "5\nhello\n0\n\n",
  "5\r\nhel",
  "0\r\nTrailer: x\r\n\r\n",
  "hello",
  ""
]

const framed = Arbitrary.map(
  Arbitrary.all([method, target, among(...framing), among(...chunkedBodies), among("application/json", "text/plain")]),
  ([verb, place, list, body, contentType]) =>
    render({ method: verb, target: place, headers: [...list, ["Content-Type", contentType]], body })
)

/** Bytes of a request with one place overwritten. */
const damaged = Arbitrary.map(
  Arbitrary.all([
    oneOf(plain, framed),
    integer(0, 2 ** 31 - 1),
    oneOf(headerText, among("\r\n", "\n", "\0", "\r", " "))
  ]),
  ([whole, at, piece]) => {
    const place = at % Math.max(1, Math.min(whole.length, 400))
    return whole.slice(0, place) + piece + whole.slice(place + 1)
  }
)

const rubbish = oneOf(
  Arbitrary.map(text, bytesOf),
  among(
    "\x16\x03\x01\x02\x00\x01\x00",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET /\r\n",
    "GET  /  HTTP/1.1\r\nHost: x\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET ?a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET http:// HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET //[::1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "\r\n\r\n\r\n",
    `GET /${"a".repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`
  )
)

const polling = Arbitrary.map(
  Arbitrary.all([
    among("GET", "POST", "OPTIONS", "PUT"),
    mostly(among("EIO=4&transport=polling"), among("EIO=3&transport=polling", "EIO=4&transport=websocket", "EIO=4")),
    oneOf(
      among("", "&sid=x", "&sid=__proto__", "&sid[]=a", "&j=0", "&b64=1"),
      Arbitrary.map(escaped, (value) => `&sid=${value}`)
    ),
    oneOf(among("", "40", "1", "2probe", "4".repeat(1_000), "\x1e".repeat(100), "bAAAA"), Arbitrary.map(text, bytesOf)),
    headers
  ]),
  ([verb, how, session, body, list]) =>
    render({
      method: verb,
      target: `/socket.io/?${how}${session}`.slice(0, 14_000),
      headers: list,
      body: verb === "POST" ? body : ""
    })
)

/** Every kind of request, as bytes. */
export const request: Arbitrary.Arbitrary<string> = oneOf(
  plain,
  plain,
  plain,
  withBody("application/json", oneOf(json, nearlyTask, nearlyTask, nearlyFile)),
  withBody("application/json", oneOf(json, nearlyTask, nearlyTask, nearlyFile)),
  withBody("application/x-www-form-urlencoded", form),
  withBody("multipart/form-data; boundary=edge", multipart),
  withBody("application/rpc+json", json),
  framed,
  damaged,
  rubbish,
  polling
)
