import { randomBytes } from "node:crypto"
import { Effect, FileSystem, Option, Path, type PlatformError, Predicate } from "effect"
import { DataFolderOfOtherVersion, DataFolderUnusable, EmbeddedPostgresFailed } from "./EmbeddedPostgresErrors.ts"
import type { PostgresBinaries } from "./PostgresBinaries.ts"
import { startProcess } from "./PostgresProcess.ts"
import type { PostgresUser } from "./PostgresUser.ts"

/** Where the private server keeps what; absolute paths. */
export interface ClusterFiles {
  /** BYTEBOT_DATA_DIR. */
  readonly folder: string
  /** PostgreSQL's own data folder. */
  readonly cluster: string
  /** The superuser's generated password; only the server's user (and root) can read it. */
  readonly password: string
  /** The running server's address and process id. */
  readonly lockFile: string
  readonly log: string
  /** Links to libraries, if npm did not run the binaries' install script. */
  readonly libraries: string
}

const filesOf = Effect.fnUntraced(function* (folder: string) {
  const path = yield* Path.Path
  const cluster = path.join(folder, "postgres")
  return {
    folder,
    cluster,
    password: path.join(cluster, "bytebot.password"),
    lockFile: path.join(cluster, "postmaster.pid"),
    log: path.join(folder, "postgres.log"),
    libraries: path.join(folder, "postgres-libraries")
  } satisfies ClusterFiles
})

/** The files in BYTEBOT_DATA_DIR as it is; it need not be there. */
export const locateFolder = Effect.fn("PostgresCluster.locateFolder")(function* (dataDir: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const wanted = path.resolve(dataDir)
  return yield* filesOf(yield* Effect.orElseSucceed(fs.realPath(wanted), () => wanted))
})

/** Creates a folder and those above it. Node's own recursive mkdir never ends below /proc, where nothing can be created. */
const createFolder = (
  folder: string
): Effect.Effect<void, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    if (yield* fs.exists(folder)) return
    const parent = path.dirname(folder)
    if (parent !== folder) yield* createFolder(parent)
    yield* Effect.catchReason(fs.makeDirectory(folder), "PlatformError", "AlreadyExists", () => Effect.void)
  })

/** Creates BYTEBOT_DATA_DIR if need be and checks that this process can write in it. */
export const prepareFolder = Effect.fn("PostgresCluster.prepareFolder")(function* (dataDir: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const wanted = path.resolve(dataDir)
  return yield* Effect.gen(function* () {
    yield* createFolder(wanted)
    const files = yield* filesOf(yield* fs.realPath(wanted))
    yield* fs.writeFileString(files.log, "", { flag: "a", mode: 0o600 })
    return files
  }).pipe(Effect.mapError(folderProblem(wanted)))
})

const largestLog = 10_000_000n

/** Starts a new log when the old one is large; one old one is kept. */
export const rotateLog = Effect.fn("PostgresCluster.rotateLog")(function* (files: ClusterFiles) {
  const fs = yield* FileSystem.FileSystem
  if ((yield* fs.stat(files.log)).size > largestLog) yield* fs.rename(files.log, `${files.log}.1`)
})

/** Whether there is data in the folder; fails if it is not ours to use. */
export const inspectCluster = Effect.fn("PostgresCluster.inspect")(function* (files: ClusterFiles, major: number) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const entries = (yield* fs.exists(files.cluster)) ? yield* fs.readDirectory(files.cluster) : []
  if (entries.length === 0) return "empty"
  if (!entries.includes("PG_VERSION")) {
    return yield* new DataFolderUnusable({
      folder: files.folder,
      reason: `${files.cluster} holds files, but they are no PostgreSQL data. Nothing was changed. Move them away, or choose another folder.`
    })
  }
  const found = (yield* fs.readFileString(path.join(files.cluster, "PG_VERSION"))).trim()
  if (found !== String(major)) {
    return yield* new DataFolderOfOtherVersion({ folder: files.folder, found, expected: major })
  }
  return "initialised"
})

/**
 * Creates the database files and the password. They are built in a folder beside and renamed into place, so there is never half a
 * cluster, and of two services that start at once one has its cluster taken and the other goes on with that one.
 */
export const initialiseCluster = Effect.fn("PostgresCluster.initialise")(function* (
  files: ClusterFiles,
  binaries: PostgresBinaries,
  user: PostgresUser
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const own = (place: string) =>
    Option.match(user.ids, { onNone: () => Effect.void, onSome: ({ uid, gid }) => fs.chown(place, uid, gid) })
  const draft = yield* fs.makeTempDirectoryScoped({ directory: files.folder, prefix: "postgres-new-" })
  const cluster = path.join(draft, "postgres")
  const password = path.join(draft, "bytebot.password")
  yield* fs.makeDirectory(cluster, { mode: 0o700 })
  yield* fs.writeFileString(password, randomBytes(32).toString("hex"), { mode: 0o600 })
  yield* Effect.forEach([draft, cluster, password], own)
  const initdb = yield* Effect.acquireRelease(
    startProcess({
      command: binaries.initdb,
      arguments: [
        `--pgdata=${cluster}`,
        "--username=postgres",
        `--pwfile=${password}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        // PostgreSQL's own C.UTF-8: the order of texts depends on no locale of the machine.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions"
      ],
      environment: binaries.environment,
      user,
      logFile: files.log
    }),
    (process) => process.signal("SIGTERM")
  )
  const ended = yield* initdb.exit
  if (ended !== 0) return yield* serverProblem(files, "create the database files", ended, yield* initdb.output)
  yield* fs.rename(password, path.join(cluster, "bytebot.password"))
  yield* fs
    .rename(cluster, files.cluster)
    .pipe(
      Effect.catchTag("PlatformError", (error) =>
        Effect.flatMap(fs.exists(files.password), (other) => (other ? Effect.void : Effect.fail(error)))
      )
    )
}, Effect.scoped)

/** What a failed start said, as an error that names the cause where it is a known one. */
export const serverProblem = (
  files: ClusterFiles,
  doing: string,
  ended: number | string,
  output: string
): DataFolderUnusable | EmbeddedPostgresFailed => {
  const reason = knownProblem(output) ?? knownProblem(String(ended))
  if (reason !== undefined) return new DataFolderUnusable({ folder: files.folder, reason })
  return new EmbeddedPostgresFailed({
    folder: files.folder,
    doing,
    output: output === "" ? `nothing; it ended with ${ended}` : output
  })
}

/** Turns a failed file operation in the data folder into the error that explains it. */
export const folderProblem =
  (folder: string) =>
  (error: PlatformError.PlatformError): DataFolderUnusable => {
    const cause = Predicate.hasProperty(error.reason, "cause") ? error.reason.cause : undefined
    return new DataFolderUnusable({ folder, reason: knownProblem(String(cause)) ?? `${error.message}.` })
  }

const knownProblem = (text: string): string | undefined => {
  if (/No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/.test(text)) {
    return "The disk is full. Free some space and start again; no data is lost."
  }
  if (/Read-only file system|EROFS/.test(text))
    return "The file system is read-only. Choose a folder that can be written."
  if (/could not look up effective user ID/.test(text)) {
    return `The user id ${process.getuid?.() ?? ""} of this process has no name, and PostgreSQL needs one. Add a line for it to /etc/passwd, run as a user that has a name, or as root, or use a server of your own with DATABASE_URL.`
  }
  if (/\bEEXIST\b|\bENOTDIR\b/.test(text)) return "It is, or lies in, a file and not a folder. Choose another one."
  if (/\bENOENT\b.*mkdir/.test(text)) return "Its file system lets no folder be created there. Choose another one."
  if (/\bEACCES\b|\bEPERM\b|Permission denied/.test(text)) {
    return `This process (user id ${process.getuid?.() ?? "unknown"}) may not read and write there. Change the folder's owner, or choose another folder. (${text.slice(-300)})`
  }
  return undefined
}
