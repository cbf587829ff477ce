import { connect, createServer, type Socket } from "node:net"
import { Effect, type Scope } from "effect"

/**
 * What shall become of statements: `pass`; `drop` them, so that they never reach the server; or `mute` the connection, so that the
 * client never hears that they were carried out.
 */
export type Fate = "pass" | "drop" | "mute"

/** A group of statements that the client sent as one, up to where it waits for the server (the protocol's Sync). */
export interface Batch {
  /** The statements' texts, also of those that were prepared earlier. */
  readonly texts: ReadonlyArray<string>
  /** Resolves when the server has answered; never when it was not sent. */
  readonly answered: Promise<void>
}

/** A way to PostgreSQL that sees every statement before the server does. */
export interface PostgresTap {
  /** The server's URL with this way to it. */
  readonly url: string
}

/** Decides of every batch, in the order of arrival. */
export type Decide = (batch: Batch) => Fate

/** Listens on a free port of 127.0.0.1 until the scope closes. `target` is a URL without TLS. */
export const tap = (target: string, decide: Decide): Effect.Effect<PostgresTap, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly url: string; readonly close: Effect.Effect<void> }>((resume) => {
        const { hostname, port } = new URL(target)
        const sockets = new Set<Socket>()
        const server = createServer((near) => {
          const far = connect({ host: hostname, port: Number(port), noDelay: true })
          for (const socket of [near, far]) {
            sockets.add(socket)
            socket.on("error", () => socket.destroy())
            socket.on("close", () => sockets.delete(socket))
          }
          near.on("close", () => far.end())
          far.on("close", () => near.end())
          carry(near, far, decide)
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const url = new URL(target)
          url.hostname = "127.0.0.1"
          url.port = String(typeof address === "object" ? address?.port : 0)
          const close = Effect.callback<void>((closed) => {
            for (const socket of sockets) socket.destroy()
            server.close(() => closed(Effect.void))
          })
          resume(Effect.succeed({ url: url.href, close }))
        })
      }),
      ({ close }) => close
    ),
    ({ url }) => ({ url })
  )

const carry = (near: Socket, far: Socket, decide: Decide): void => {
  const requests = new Frames(true)
  const answers = new Frames(false)
  const prepared = new Map<string, string>()
  const awaited: Array<() => void> = []
  let isMute = false
  let held: Array<Buffer> = []
  let texts: Array<string> = []

  const collect = ({ body, type }: Frame): void => {
    if (type === "P") {
      const [name = "", text = ""] = strings(body)
      prepared.set(name, text)
    }
    if (type === "B") texts.push(prepared.get(strings(body)[1] ?? "") ?? "")
    if (type === "Q") texts.push(strings(body)[0] ?? "")
  }

  near.on("data", (chunk) => {
    for (const frame of requests.push(chunk)) {
      collect(frame)
      held.push(frame.bytes)
      // Logging in, copying and saying goodbye are no statements.
      if (!["S", "Q", undefined, "p", "X"].includes(frame.type)) continue
      const isBatch = frame.type === "S" || frame.type === "Q"
      const answered = new Promise<void>((resolve) => {
        if (isBatch || frame.type === undefined) awaited.push(resolve)
      })
      const fate = isBatch && texts.length > 0 ? decide({ texts, answered }) : "pass"
      if (fate === "mute") isMute = true
      if (fate !== "drop") far.write(Buffer.concat(held))
      held = []
      texts = []
    }
  })
  far.on("data", (chunk) => {
    if (!isMute) near.write(chunk)
    for (const { type } of answers.push(chunk)) if (type === "Z") awaited.shift()?.()
  })
}

interface Frame {
  /** One letter; undefined for the client's first message, which has none. */
  readonly type: string | undefined
  readonly body: Buffer
  readonly bytes: Buffer
}

/** Cuts a stream into the protocol's messages (PostgreSQL, "Message Formats"). */
class Frames {
  private rest = Buffer.alloc(0)
  private isFirst: boolean

  constructor(isClient: boolean) {
    this.isFirst = isClient
  }

  *push(chunk: Buffer): Generator<Frame> {
    this.rest = Buffer.concat([this.rest, chunk])
    for (;;) {
      const head = this.isFirst ? 0 : 1
      if (this.rest.length < head + 4) return
      const end = head + this.rest.readInt32BE(head)
      if (this.rest.length < end) return
      const bytes = this.rest.subarray(0, end)
      const type = this.isFirst ? undefined : String.fromCharCode(bytes[0] ?? 0)
      this.rest = this.rest.subarray(end)
      this.isFirst = false
      yield { type, body: bytes.subarray(head + 4), bytes }
    }
  }
}

/** The zero-terminated strings with which a message begins. */
const strings = (body: Buffer): ReadonlyArray<string> => body.toString("utf8").split("\0", 2)
