import type { ErrorBody } from "./modelReplies.ts"

/** Thrown where an API answers a request with an error of its own accord. */
export class Rejection extends Error {
  readonly status: number
  readonly body: ErrorBody

  constructor(status: number, body: ErrorBody) {
    super(body.message)
    this.status = status
    this.body = body
  }
}
