import { connect, createServer, type Socket } from "node:net"
import { Effect } from "effect"

/** A way to a server that can be cut: connections through `port` of 127.0.0.1 go on to `target`. */
export class Network {
  /** The server's URL with this way to it. */
  readonly url: string
  private readonly pairs = new Set<readonly [near: Socket, far: Socket]>()
  private isFrozen = false
  private isRefusing = false
  private hesitation = 0

  private constructor(target: string, port: number) {
    const url = new URL(target)
    url.hostname = "127.0.0.1"
    url.port = String(port)
    this.url = url.href
  }

  /** Exists until the scope closes. */
  static readonly to = (target: string) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.callback<{ readonly network: Network; readonly close: Effect.Effect<void> }>((resume) => {
          const { hostname, port } = new URL(target)
          const server = createServer((near) => network.carry(near, connect(Number(port), hostname)))
          let network: Network
          server.listen(0, "127.0.0.1", () => {
            const address = server.address()
            network = new Network(target, typeof address === "object" ? (address?.port ?? 0) : 0)
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
      near.unpipe(far).pause()
      far.unpipe(near).pause()
    }
  }

  /** What was held back arrives, also from those who have given up meanwhile. */
  thaw(): void {
    this.isFrozen = false
    for (const pair of this.pairs) join(pair)
  }

  /** From now on the server hears what is said on the connections there are, but nobody hears its answers. */
  loseAnswers(): void {
    for (const [near, far] of this.pairs) far.unpipe(near).resume()
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
    else if (!this.isFrozen) join(pair)
  }
}

const join = ([near, far]: readonly [Socket, Socket]): void => {
  near.pipe(far)
  far.pipe(near)
}
