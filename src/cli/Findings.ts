import { styleText } from "node:util"
import { Effect, Schema } from "effect"
import { print } from "./Output.ts"

/** Something is missing or does not work; what, has been printed. */
class DoctorFoundProblems extends Schema.TaggedError<DoctorFoundProblems>()("DoctorFoundProblems", {
  count: Schema.Int
}) {
  override get message(): string {
    return this.count === 1 ? "One thing to fix" : `${this.count} things to fix`
  }
}

export interface Finding {
  readonly what: string
  readonly ok: boolean
  /** How it is, or what to do. */
  readonly note: string
}

/** Prints the findings; fails where one is not in order. */
export const report = Effect.fnUntraced(function* (findings: ReadonlyArray<Finding>, isJson: boolean) {
  if (isJson) yield* print(JSON.stringify(findings))
  else {
    yield* Effect.forEach(
      findings,
      ({ note, ok, what }) => print(`${ok ? styleText("green", "ok  ") : styleText("red", "FIX ")} ${what}: ${note}`),
      { discard: true }
    )
  }
  const count = findings.filter(({ ok }) => !ok).length
  if (count > 0) return yield* new DoctorFoundProblems({ count })
})
