import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import { Effect, type Scope } from "effect"
import { environment, fileOf } from "./Programs.ts"
import { until } from "./Waiting.ts"

/** The real service as a process of its own. */
export interface ServiceProcess {
  readonly url: string
  readonly pid: number
  /** Sends a signal to the process; nothing happens when it has ended. */
  readonly signal: (name: NodeJS.Signals) => void
  /** Waits for its end: the exit code, or the signal that killed it. */
  readonly ended: Effect.Effect<number | NodeJS.Signals>
  readonly hasEnded: () => boolean
  /** What it wrote so far. */
  readonly output: () => string
}

/** Ports that this process has given out: a service may be about to listen on one, or to come back to it. */
const given = new Set<number>()

/** Vitest's workers run at the same time, each on ports of its own. */
const worker = Number(process.env.VITEST_POOL_ID ?? 0) % 4
const portsPerWorker = 5_500

/**
 * A free port of 127.0.0.1, for services that must keep it when they are started again. It is none of those that systems give to outgoing
 * connections (from 32768 on), and no port is given out twice.
 */
export const freePort: Effect.Effect<number> = Effect.callback<number, Error>((resume) => {
  const port = 10_000 + worker * portsPerWorker + Math.floor(Math.random() * portsPerWorker)
  if (given.has(port)) return resume(Effect.fail(new Error(`Port ${port} was given out before`)))
  const server = createServer()
    .once("error", (error) => resume(Effect.fail(error)))
    .listen(port, "127.0.0.1", () => {
      given.add(port)
      server.close(() => resume(Effect.succeed(port)))
    })
}).pipe(Effect.retry({ times: 1_000 }), Effect.orDie)

/**
 * Starts the service on a port of 127.0.0.1; it is killed when the scope closes. Of the environment it has these variables only. `program` is the
 * file to run where it is not the service's.
 */
export const spawnService = (
  port: number,
  variables: Readonly<Record<string, string>>,
  program: string = fileOf("main")
): Effect.Effect<ServiceProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => launch(port, variables, program)),
    ({ ended, signal }) =>
      Effect.andThen(
        Effect.sync(() => signal("SIGKILL")),
        ended
      )
  )

const launch = (port: number, variables: Readonly<Record<string, string>>, program: string): ServiceProcess => {
  const child = spawn(process.execPath, [program], {
    // Not the project's folder, whose .env may hold anything.
    cwd: "/",
    env: {
      ...environment(),
      HOST: "127.0.0.1",
      PORT: String(port),
      LOG_LEVEL: "info",
      BYTEBOT_SETTLE_DELAY: "1",
      ...variables
    },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
  }
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    signal: (name) => void child.kill(name),
    ended: endOf(child),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    output: () => output
  }
}

const endOf = (child: ChildProcess): Effect.Effect<number | NodeJS.Signals> =>
  Effect.callback((resume) => {
    const done = () => resume(Effect.succeed(child.exitCode ?? child.signalCode ?? 0))
    if (child.exitCode !== null || child.signalCode !== null) return done()
    child.once("exit", done)
  })

/** Waits until the service says that it is ready. */
export const untilReady = (service: ServiceProcess) =>
  until(
    "the service is ready",
    Effect.promise(() =>
      fetch(`${service.url}/health/ready`).then(
        ({ ok }) => (ok || service.hasEnded() ? true : undefined),
        () => (service.hasEnded() ? true : undefined)
      )
    ),
    "60 seconds"
  ).pipe(
    Effect.tap(() =>
      service.hasEnded() ? Effect.die(new Error(`the service ended: ${service.output()}`)) : Effect.void
    )
  )
