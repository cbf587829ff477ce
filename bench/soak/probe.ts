import { readdirSync } from "node:fs"
import { createServer } from "node:http"

/**
 * Preloaded into the service (`--expose-gc --import`), which knows nothing of it: tells whoever asks at the Unix socket BENCH_PROBE what
 * is left in the process after a garbage collection.
 */

const server = createServer((_, response) => {
  globalThis.gc?.()
  // What was finalised by the first one is collected by the second.
  setTimeout(() => {
    globalThis.gc?.()
    const { external, heapUsed, rss } = process.memoryUsage()
    const fds = readdirSync("/proc/self/fd").length
    const resources = process.getActiveResourcesInfo().length
    response.end(JSON.stringify({ heap: heapUsed, external, resident: rss, fds, resources }))
  }, 100)
})
server.listen(process.env.BENCH_PROBE)
server.unref()
