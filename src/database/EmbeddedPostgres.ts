import { randomBytes } from "node:crypto"
import { Deferred, Effect, FileSystem, Option, Path, Redacted, Schedule, type Scope } from "effect"
import { type ClusterFiles, clusterFiles, prepareFolder } from "./ClusterFiles.ts"
import { DataFolderInUse, type EmbeddedPostgresError, EmbeddedPostgresFailed } from "./EmbeddedPostgresErrors.ts"
