import { createServer } from "node:net"
import * as NodeServices from "@effect/platform-node/NodeServices"
import {
  Clock,
  Data,
  Deferred,
  Effect,
  Fiber,
  FileSystem,
  Option,
  type PlatformError,
  Redacted,
  Schedule
} from "effect"
import {
  DataFolderInUse,
  DataFolderUnusable,
  type EmbeddedPostgresError,
  EmbeddedPostgresFailed,
  NoPrivateData
} from "./EmbeddedPostgresErrors.ts"
import { locateBinaries, type PostgresBinaries } from "./PostgresBinaries.ts"
import {
  type ClusterFiles,
  folderProblem,
  initialiseCluster,
  inspectCluster,
  locateFolder,
  prepareFolder,
  rotateLog,
  serverProblem
} from "./PostgresCluster.ts"
import { identityOf, isAlive, type PostgresProcess, startProcess } from "./PostgresProcess.ts"
import { choosePostgresUser, type PostgresUser } from "./PostgresUser.ts"
import { awaitLoss, claimServer, isServerProcess, lookAtServer, readLockFile } from "./ServerOwnership.ts"

/** A private PostgreSQL server that runs as long as its scope is open. */
export interface EmbeddedPostgres {
  /** postgresql:// URL of the database; the superuser's generated password is in it. */
  readonly url: Redacted.Redacted<string>
  /** The absolute data folder. */
  readonly folder: string
}

export interface EmbeddedPostgresOptions {
  /** Absolute, or relative to the working folder. The data is in `postgres` below it, the server's log in `postgres.log`. */
  readonly dataDir: string
  /** Name of the database in the URL; it is not created. */
  readonly database: string
  /** Settings of the server (postgresql.conf), for example `max_connections`. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/**
 * Starts a PostgreSQL server of its own on the data folder, on 127.0.0.1 and a free port, and stops it when the scope closes. The
 * first time it creates the data. A server that a killed service left behind is stopped first, whether it runs or has left its lock
 * file only. Who holds an advisory lock on the server owns it: a second service on the folder fails with `DataFolderInUse`.
 * A server that dies is started again.
 */
export const make = Effect.fn("EmbeddedPostgres.make")(function* (options: EmbeddedPostgresOptions) {
  const files = yield* prepareFolder(options.dataDir)
  return yield* run(files, options).pipe(
    Effect.catchTags({
      PlatformError: (error) => Effect.fail(folderProblem(files.folder)(error)),
      SchemaError: Effect.die
    })
  )
}, Effect.provide(NodeServices.layer))

/** The server of the data folder where it runs and is owned by a process; fails with `NoPrivateData` where there are no data. */
export const running = Effect.fn("EmbeddedPostgres.running")(function* (options: EmbeddedPostgresOptions) {
  const fs = yield* FileSystem.FileSystem
  const files = yield* locateFolder(options.dataDir)
  return yield* Effect.gen(function* () {
    if (!(yield* fs.exists(files.password))) return yield* new NoPrivateData({ folder: files.folder })
    const server = yield* readLockFile(files)
    if (Option.isNone(server)) return Option.none()
    const { port } = server.value
    const password = yield* readPassword(files)
    const sight = yield* lookAtServer(files, port, password)
    return sight._tag === "Owned"
      ? Option.some<EmbeddedPostgres>({ url: urlOf(options.database, port, password), folder: files.folder })
      : Option.none()
  }).pipe(Effect.catchTag("PlatformError", (error) => Effect.fail(folderProblem(files.folder)(error))))
}, Effect.provide(NodeServices.layer))

/** The running server of the data folder, or else one that runs as long as the scope is open. Creates no data: see `running`. */
export const visit = Effect.fn("EmbeddedPostgres.visit")(function* (options: EmbeddedPostgresOptions) {
  const found = yield* running(options)
  return Option.isSome(found) ? found.value : yield* make(options)
})

interface Installation {
  readonly files: ClusterFiles
  readonly binaries: PostgresBinaries
  readonly user: PostgresUser
  readonly password: Redacted.Redacted
  readonly settings: Readonly<Record<string, string>>
}

/** Another process took the port, or started a server on the same data, in the moment of our start. */
class StartCollision extends Data.TaggedError("StartCollision")<{ readonly output: string }> {}

type StartError = EmbeddedPostgresError | PlatformError.PlatformError | StartCollision

const run = Effect.fnUntraced(function* (files: ClusterFiles, options: EmbeddedPostgresOptions) {
  const binaries = yield* locateBinaries(files.libraries)
  const state = yield* inspectCluster(files, binaries.major)
  const user = yield* choosePostgresUser(files.folder, files.cluster, binaries)
  if (state === "empty") {
    yield* Effect.logInfo(`Creating a private PostgreSQL database in ${files.cluster}`)
    yield* initialiseCluster(files, binaries, user)
  }
  const installation: Installation = {
    files,
    binaries,
    user,
    password: yield* readPassword(files),
    settings: options.settings ?? {}
  }
  const port = yield* start(installation).pipe(
    Effect.retry({
      while: (error) => error._tag === "StartCollision",
      schedule: Schedule.upTo(Schedule.spaced("200 millis"), { duration: "15 seconds" })
    }),
    Effect.catchTag("StartCollision", ({ output }) => Effect.fail(startFailed(files, output)))
  )
  return {
    folder: files.folder,
    url: urlOf(options.database, port, installation.password)
  } satisfies EmbeddedPostgres
})

const readPassword = Effect.fnUntraced(function* (files: ClusterFiles) {
  const fs = yield* FileSystem.FileSystem
  return Redacted.make((yield* fs.readFileString(files.password)).trim())
})

const urlOf = (database: string, port: number, password: Redacted.Redacted) =>
  Redacted.make(`postgresql://postgres:${Redacted.value(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`)

/** Succeeds with the port as soon as the server is up and owned; it is kept running until the scope closes. */
const start = Effect.fnUntraced(function* (installation: Installation) {
  const port = yield* freePort
  const started = yield* Deferred.make<void, StartError>()
  const running = yield* Effect.forkScoped(keepRunning(installation, port, started))
  const reminder = Effect.logInfo(
    `The private PostgreSQL server is still starting; after an unclean end it has to recover (log: ${installation.files.log})`
  ).pipe(Effect.delay("5 seconds"), Effect.andThen(Effect.never))
  // A bug in the fiber must end the start, not leave it waiting.
  const bugs = Effect.andThen(Fiber.join(running), Effect.never)
  yield* Effect.raceAllFirst([Deferred.await(started), reminder, bugs])
  return port
})

const restartDelay = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])

/** A failure of the first start goes to `started` and ends it; later ones are logged and followed by another start. */
const keepRunning = (installation: Installation, port: number, started: Deferred.Deferred<void, StartError>) =>
  runServer(installation, port, started).pipe(
    Effect.catch((error) =>
      Effect.flatMap(Deferred.fail(started, error), (first) =>
        first
          ? Effect.void
          : Effect.andThen(
              Effect.logWarning(
                `The private PostgreSQL server has ended and is started again. Why: ${installation.files.log}`
              ),
              Effect.fail(error)
            )
      )
    ),
    Effect.retry(restartDelay)
  )

/** Runs the server until it ends, which is a failure, or until interrupted, which stops it. */
const runServer = Effect.fnUntraced(function* (
  installation: Installation,
  port: number,
  started: Deferred.Deferred<void, StartError>
) {
  const { files } = installation
  yield* stopPrevious(installation)
  yield* rotateLog(files)
  const settings = { ...ownSettings(port, yield* identityOf(process.pid)), ...installation.settings }
  const server = yield* Effect.acquireRelease(
    startProcess({
      command: installation.binaries.postgres,
      arguments: [
        "-D",
        files.cluster,
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
      ],
      environment: installation.binaries.environment,
      user: installation.user,
      logFile: files.log
    }),
    stopServer
  )
  const ended = yield* Effect.raceFirst(server.exit, holdOwnership(installation, port, started))
  const output = yield* server.output
  if (/lock file ".*" already exists|shared memory block .* is still in use|Address already in use/.test(output)) {
    return yield* new StartCollision({ output })
  }
  return yield* serverProblem(files, "start", ended, output)
}, Effect.scoped)

const ownSettings = (port: number, starter: string | undefined) => ({
  listen_addresses: "127.0.0.1",
  port: String(port),
  // Relative to the data folder: a socket's path must be short.
  unix_socket_directories: ".",
  // By this others tell a server that was left behind from one that has just been started.
  cluster_name: starter ?? "",
  timezone: "UTC",
  log_timezone: "UTC"
})

/** PostgreSQL's fast shutdown: open transactions are rolled back. If that takes too long, the immediate one, after which it recovers. */
const stopServer = (server: PostgresProcess) =>
  Effect.gen(function* () {
    yield* server.signal("SIGINT")
    const ended = yield* Effect.timeoutOption(server.exit, "60 seconds")
    if (Option.isNone(ended)) yield* server.signal("SIGQUIT")
    yield* server.exit
  })

/** Takes the lock as soon as the server answers, and again whenever the session that holds it is lost. */
const holdOwnership = (installation: Installation, port: number, started: Deferred.Deferred<void, StartError>) =>
  Effect.gen(function* () {
    const { files } = installation
    const claim = yield* claimServer(files, port, installation.password)
    const first = !(yield* Deferred.isDone(started))
    switch (claim._tag) {
      case "Ours":
        yield* Deferred.succeed(started, undefined)
        return yield* awaitLoss(claim.session)
      case "Refused":
        return yield* startFailed(
          files,
          `${claim.cause}\nIs ${files.password} the password that the data was created with?`
        )
      case "Taken":
        if (first) return yield* new DataFolderInUse({ folder: files.folder })
        return yield* Effect.sleep("1 second")
      case "Silent":
        return yield* Effect.sleep("20 millis")
    }
  }).pipe(Effect.scoped, Effect.forever)

const takeoverTime = 3_000
const stopTime = 60_000

/**
 * Cleans up after an earlier run: stops a server without an owner, removes the lock file of one that was killed. The owner's session may
 * outlive a killed service for a moment, so the folder counts as in use only after `takeoverTime`.
 */
const stopPrevious = Effect.fnUntraced(function* (installation: Installation) {
  const { files } = installation
  const begin = yield* Clock.currentTimeMillis
  let asked = false
  for (;;) {
    const previous = yield* readLockFile(files)
    if (Option.isNone(previous)) return
    const { pid, port } = previous.value
    // In this order: a server that ends meanwhile is no longer seen, and so not taken for one of elsewhere.
    const running = yield* isServerProcess(files, pid)
    const sight = yield* lookAtServer(files, port, installation.password)
    const waited = (yield* Clock.currentTimeMillis) - begin
    if (sight._tag === "Unowned" && !running) {
      return yield* new DataFolderUnusable({
        folder: files.folder,
        reason:
          "A PostgreSQL server that this process cannot see, perhaps in another container, runs on it. Stop that one first."
      })
    }
    // As long as the process lives that started the server, it is about to own it.
    if (sight._tag === "Unowned" && !asked && !(yield* isAlive(sight.starter))) {
      yield* Effect.logInfo("Stopping the private PostgreSQL server that an earlier run of the service left running")
      // Another start may have been quicker.
      yield* Effect.ignore(Effect.try(() => process.kill(pid, "SIGINT")))
      asked = true
    }
    if (sight._tag === "Owned" && waited > takeoverTime) return yield* new DataFolderInUse({ folder: files.folder })
    if (sight._tag === "Silent" && !running) return yield* removeStaleLockFile(files, pid)
    if (waited > stopTime) {
      return yield* startFailed(
        files,
        `The server of an earlier run (process ${pid}) neither answers nor ends. Its log: ${files.log}`
      )
    }
    yield* Effect.sleep("25 millis")
  }
})

/** Where the process id of a killed server is another process's now, PostgreSQL would take that one for a server and not start. */
const removeStaleLockFile = Effect.fnUntraced(function* (files: ClusterFiles, pid: number) {
  const fs = yield* FileSystem.FileSystem
  const now = yield* readLockFile(files)
  if (Option.isSome(now) && now.value.pid === pid) yield* fs.remove(files.lockFile, { force: true })
})

const startFailed = (files: ClusterFiles, output: string) =>
  new EmbeddedPostgresFailed({ folder: files.folder, doing: "start", output })

/** A port of 127.0.0.1 that was free a moment ago. */
const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() =>
      resume(address !== null && typeof address === "object" ? Effect.succeed(address.port) : Effect.die(address))
    )
  })
})
