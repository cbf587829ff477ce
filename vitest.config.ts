import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    pool: "forks",
    maxWorkers: 3,
    // Effect and the SDKs are loaded once per worker, not for each of a hundred files.
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
