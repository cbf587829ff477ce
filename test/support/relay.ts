import { connect, createServer, type NetConnectOpts, type Socket } from "node:net"
import { Effect } from "effect"

/** Listens on a port of 127.0.0.1 and hands every connection on to `target`, until interrupted. */
export const relay = (port: number, target: NetConnectOpts): Effect.Effect<never> =>
  Effect.callback((_resume) => {
    const sockets = new Set<Socket>()
    const server = createServer((near) => {
      const far = connect(target)
      for (const socket of [near, far]) {
        sockets.add(socket)
        socket.on("error", () => socket.destroy())
        socket.on("close", () => sockets.delete(socket))
      }
      near.pipe(far).pipe(near)
    })
    server.listen(port, "127.0.0.1")
    return Effect.callback<void>((resume) => {
      for (const socket of sockets) socket.destroy()
      server.close(() => resume(Effect.void))
    })
  })
