import { createClient } from "redis"

/** The Redis of the tests: TEST_REDIS_URL, or the one of this machine. */
export const url = process.env.TEST_REDIS_URL || "redis://127.0.0.1:6379"

const answers = await createClient({ url, socket: { reconnectStrategy: false, connectTimeout: 2_000 } })
  .on("error", () => undefined)
  .connect()
  .then(
    (client) => client.close().then(() => true),
    () => false
  )

/** Whether tests with Redis are to be run: in CI a missing one is a failure. */
export const isWanted = answers || process.env.CI !== undefined
