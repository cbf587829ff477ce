import { mkdirSync, writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { Effect, Schema } from "effect"
import { say } from "./report.ts"

/** What a benchmark is to reach. */
export interface Target {
  readonly what: string
  readonly reached: number
  readonly atMost: number
}

class TargetsMissed extends Schema.TaggedError<TargetsMissed>()("TargetsMissed", { message: Schema.String }) {}

/** Writes bench/results/NAME.json, prints the targets, and fails with TargetsMissed where one was not reached. */
export const conclude = Effect.fnUntraced(function* (
  name: string,
  results: Readonly<Record<string, unknown>>,
  targets: ReadonlyArray<Target>
) {
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, node: process.version, load: loadavg()[0] }
  const report = { at: new Date().toISOString(), machine, targets, results }
  mkdirSync("bench/results", { recursive: true })
  writeFileSync(`bench/results/${name}.json`, `${JSON.stringify(report, null, 2)}\n`)
  const isMissed = ({ atMost, reached }: Target) => !(reached <= atMost)
  for (const target of targets) {
    const verdict = isMissed(target) ? "MISSED" : "reached"
    yield* say(`${verdict}: ${target.what}: ${Number(target.reached.toFixed(2))}, at most ${target.atMost}`)
  }
  const missed = targets.filter(isMissed)
  if (missed.length > 0) {
    return yield* new TargetsMissed({ message: `Missed: ${missed.map(({ what }) => what).join("; ")}` })
  }
})
