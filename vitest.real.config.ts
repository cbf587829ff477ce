import { mergeConfig } from "vitest/config"
import base from "./vitest.config.ts"

/** Suites against programs of the system, one npm script each. A missing program fails its suite, with the line that installs it. */
export default mergeConfig(base, { test: { include: ["test/real/*.suite.ts"] } })
