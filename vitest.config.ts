import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    pool: "forks",
    maxWorkers: 3,
    // Modules are evaluated once for each worker, not for each file: that takes a third of the time.
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
