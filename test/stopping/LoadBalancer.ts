import { Agent, createServer, request, type Server } from "node:http"
import { Effect, type Scope } from "effect"

/** An address that leads to one of several services: to those that said last time that they are ready. */
export interface LoadBalancer {
  readonly url: string
  /** Answers that were no success, or none at all. */
  readonly failures: Array<string>
}

/** How often each service is asked whether it is ready, in ms. */
const interval = 100

/** Like one before replicas: keeps connections open, asks `/health/ready`, and never tries again elsewhere. */
export const balance = (targets: ReadonlyArray<string>): Effect.Effect<LoadBalancer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<LoadBalancer & { readonly close: Effect.Effect<void> }>((resume) => {
      const agent = new Agent({ keepAlive: true })
      const ready = new Set(targets)
      const failures: Array<string> = []
      let next = 0
      const ask = (target: string) =>
        fetch(`${target}/health/ready`).then(
          ({ ok }) => (ok ? ready.add(target) : ready.delete(target)),
          () => ready.delete(target)
        )
      const timer = setInterval(() => targets.forEach((target) => void ask(target)), interval)
      const server: Server = createServer((incoming, outgoing) => {
        const candidates = [...ready]
        next += 1
        const target = candidates[next % candidates.length]
        if (target === undefined) {
          failures.push("nobody is ready")
          outgoing.writeHead(502).end()
          return
        }
        const { headers, method, url = "/" } = incoming
        const forwarded = request(`${target}${url}`, { method, headers, agent }, (answer) => {
          if ((answer.statusCode ?? 500) >= 400) failures.push(`${method} ${url}: ${answer.statusCode}`)
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(outgoing)
        })
        forwarded.on("error", ({ message }) => {
          failures.push(`${method} ${url}: ${message}`)
          outgoing.writeHead(502).end()
        })
        incoming.pipe(forwarded)
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" ? address?.port : 0
        const close = Effect.sync(() => {
          clearInterval(timer)
          server.closeAllConnections()
          server.close()
          agent.destroy()
        })
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, failures, close }))
      })
    }),
    ({ close }) => close
  )
