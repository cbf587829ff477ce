import { Agent, type IncomingHttpHeaders, request } from "node:http"

/** What is asked of a server. */
export interface Question {
  readonly method: string
  readonly path: string
  readonly body?: string
}

export interface Answer {
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  readonly ms: number
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 })

/** One answer, read to its end; fails unless it is a success. `keep`: its bytes, which otherwise are thrown away. */
export const ask = (base: string, { body, method, path }: Question, keep = false): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const begun = performance.now()
    const headers =
      body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }
    const outgoing = request(`${base}${path}`, { method, agent, headers }, (answer) => {
      const chunks: Array<Buffer> = []
      answer.on("data", (chunk) => {
        if (keep) chunks.push(chunk)
      })
      answer.on("error", reject)
      answer.on("end", () =>
        (answer.statusCode ?? 500) < 300
          ? resolve({ headers: answer.headers, bytes: Buffer.concat(chunks), ms: performance.now() - begun })
          : reject(new Error(`${method} ${path}: ${answer.statusCode}`))
      )
    })
    outgoing.on("error", reject)
    outgoing.end(body)
  })

/** For `ms` milliseconds, `concurrency` requests at a time: how many answers, how many per second, and the 99th percentile of their times in ms. */
export const load = async (base: string, question: Question, concurrency: number, ms: number) => {
  const times: Array<number> = []
  const begun = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() - begun < ms) times.push((await ask(base, question)).ms)
    })
  )
  times.sort((a, b) => a - b)
  return {
    count: times.length,
    rate: (times.length * 1000) / (performance.now() - begun),
    p99: times[Math.floor(times.length * 0.99)] ?? 0
  }
}
