import { Option, Schema } from "effect"
import { TaskStatus } from "../../../src/domain/Task.ts"

/** What the list shows; it stands in the page's address. */
export interface Filters {
  readonly q?: string
  readonly status?: ReadonlyArray<TaskStatus>
}

const decode = Schema.decodeUnknownOption(
  Schema.Struct({ q: Schema.optionalKey(Schema.String), status: Schema.optionalKey(Schema.Array(TaskStatus)) })
)

/** Filters of an address; an address that has others shows all. */
export const decodeFilters = (search: unknown): Filters => Option.getOrElse(decode(search), () => ({}))

export const groups = [
  { name: "All", statuses: undefined },
  { name: "Needs you", statuses: ["NEEDS_HELP", "NEEDS_REVIEW"] },
  { name: "Active", statuses: ["PENDING", "RUNNING"] },
  { name: "Completed", statuses: ["COMPLETED"] },
  { name: "Failed", statuses: ["FAILED", "CANCELLED"] }
] as const satisfies ReadonlyArray<{
  readonly name: string
  readonly statuses: ReadonlyArray<TaskStatus> | undefined
}>
