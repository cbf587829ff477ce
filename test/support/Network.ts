import { connect, createServer, type Socket } from "node:net"
import { Transform } from "node:stream"
import { Effect } from "effect"

/** A way to a server that can be cut: connections through `port` of 127.0.0.1 go on to `target`. */
export class Network {
  /** The server's URL with this way to it. */
  readonly url: string
  private readonly pairs = new Set<readonly [near: Socket, far: Socket]>()
  private isFrozen = false
  private isRefusing = false
  private hesitation = 0
  private readonly latency: number

  private constructor(target: string, port: number, latency: number) {
    this.latency = latency
    const url = new URL(target)
    url.hostname = "127.0.0.1"
    url.port = String(port)
    this.url = url.href
  }

  /** Exists until the scope closes. What is said on it arrives after so many milliseconds. */
  static readonly to = (target: string, latency = 0) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.callback<{ readonly network: Network; readonly close: Effect.Effect<void> }>((resume) => {
          const { hostname, port } = new URL(target)
          const server = createServer((near) => network.carry(near, connect(Number(port), hostname)))
          let network: Network
          server.listen(0, "127.0.0.1", () => {
            const address = server.address()
            network = new Network(target, typeof address === "object" ? (address?.port ?? 0) : 0, latency)
            const close = Effect.callback<void>((closed) => {
              network.cut()
              server.close(() => closed(Effect.void))
            })
            resume(Effect.succeed({ network, close }))
          })
        }),
        ({ close }) => close
      ),
      ({ network }) => network
    )

  /** From now on nothing arrives on either side, and nobody is told: a black hole. */
  freeze(): void {
    this.isFrozen = true
    for (const [near, far] of this.pairs) {
      near.unpipe().pause()
      far.unpipe().pause()
    }
  }

  /** What was held back arrives, also from those who have given up meanwhile. */
  thaw(): void {
    this.isFrozen = false
    for (const pair of this.pairs) this.join(pair)
  }

  /** From now on the server hears what is said on the connections there are, but nobody hears its answers. */
  loseAnswers(): void {
    for (const [, far] of this.pairs) far.unpipe().resume()
  }

  /** Breaks all connections, and new ones within so many milliseconds, until `accept`. */
  refuse(hesitation = 0): void {
    this.isRefusing = true
    this.hesitation = hesitation
    this.cut()
  }

  accept(): void {
    this.isRefusing = false
  }

  /** Breaks all connections. */
  cut(): void {
    for (const [near, far] of this.pairs) {
      near.resetAndDestroy()
      far.destroy()
    }
  }

  private carry(near: Socket, far: Socket): void {
    const pair = [near, far] as const
    this.pairs.add(pair)
    for (const socket of pair) {
      socket.on("error", () => socket.destroy())
      socket.on("close", () => {
        if (this.isFrozen) return
        this.pairs.delete(pair)
        for (const each of pair) each.destroy()
      })
    }
    if (this.isRefusing) setTimeout(() => near.resetAndDestroy(), Math.random() * this.hesitation)
    else if (!this.isFrozen) this.join(pair)
  }

  private join([near, far]: readonly [Socket, Socket]): void {
    this.lead(near, far)
    this.lead(far, near)
  }

  private lead(from: Socket, to: Socket): void {
    if (this.latency === 0) from.pipe(to)
    else from.pipe(later(this.latency)).pipe(to)
  }
}

/** Passes everything on in the same order, each piece so many milliseconds after it came. */
const later = (milliseconds: number): Transform =>
  new Transform({
    transform(piece, _, next) {
      setTimeout(() => this.push(piece), milliseconds)
      next()
    },
    flush: (end) => void setTimeout(end, milliseconds)
  })
