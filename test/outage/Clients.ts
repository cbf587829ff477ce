import { randomUUID } from "node:crypto"
import { assert } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type { SqlClient } from "effect/sql"
import { request } from "../support/RestClient.ts"

/** An answered request. */
interface Answer {
  readonly what: string
  readonly status: number
  readonly json: unknown
}

const unavailable = {
  message: "The database is not available right now",
  error: "Service Unavailable",
  statusCode: 503
}

/** People who use the service all the time, and remember what it said. */
export class Clients {
  readonly answers: Array<Answer> = []
  /** Descriptions of tasks, and texts of messages, that were accepted. */
  private readonly accepted: Array<string> = []
  private readonly url: string
  private readonly taskId: string

  /** They talk about the given task. */
  constructor(url: string, taskId: string) {
    this.url = url
    this.taskId = taskId
  }

  /** Until interrupted. */
  readonly work = Effect.suspend(() =>
    Effect.all(
      [this.creating, this.writing, this.reading].map((each) => Effect.repeat(each, Schedule.spaced("25 millis"))),
      { concurrency: "unbounded", discard: true }
    )
  )

  /** How many answers of the given status there were. */
  count(status: number): number {
    return this.answers.filter((answer) => answer.status === status).length
  }

  /** Waits for an answer to a request that was made from now on. */
  readonly nextAnswer = (status: number) =>
    Effect.suspend(() => {
      const before = this.count(status)
      return Effect.suspend(() => (this.count(status) > before ? Effect.void : Effect.fail("not yet"))).pipe(
        Effect.retry(Schedule.upTo(Schedule.spaced("20 millis"), { duration: "30 seconds" })),
        Effect.mapError(() => new Error(`nobody was answered ${status}`))
      )
    })

  /** Everybody was served or told that the database is away; and what was accepted is there, once. */
  readonly check = (sql: SqlClient.SqlClient) =>
    Effect.gen({ self: this }, function* () {
      for (const { json, status, what } of this.answers) {
        if (status === 503) assert.deepStrictEqual(json, unavailable, what)
        else assert.include([200, 201], status, `${what}: ${JSON.stringify(json)}`)
      }
      const rows = yield* sql<{ said: string }>`
        SELECT "description" AS said FROM "Task" UNION ALL
        SELECT "content" -> 0 ->> 'text' FROM "Message" WHERE "taskId" = ${this.taskId}`
      const said = rows.map((row) => row.said)
      assert.includeMembers(said, this.accepted)
      // What was answered 503 may have happened all the same, but nothing happened twice.
      assert.strictEqual(new Set(said).size, said.length)
    })

  private readonly ask = (method: string, path: string, body?: unknown) =>
    Effect.map(request(this.url, method, path, body, { patience: 10_000 }), ({ json, status }) => {
      this.answers.push({ what: `${method} ${path}`, status, json })
      return status
    })

  private readonly creating = Effect.suspend(() => {
    const description = `a task ${randomUUID()}`
    const scheduledFor = "2099-01-01T00:00:00.000Z"
    return Effect.map(this.ask("POST", "/tasks", { description, type: "SCHEDULED", scheduledFor }), (status) => {
      if (status === 201) this.accepted.push(description)
    })
  })

  private readonly writing = Effect.suspend(() => {
    const message = `a message ${randomUUID()}`
    return Effect.map(this.ask("POST", `/tasks/${this.taskId}/messages`, { message }), (status) => {
      if (status === 201) this.accepted.push(message)
    })
  })

  private readonly reading = Effect.suspend(() => this.ask("GET", `/tasks/${this.taskId}`))
}
