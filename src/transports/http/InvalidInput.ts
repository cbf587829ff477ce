import { SchemaIssue } from "effect"
import { InvalidRequest } from "../../domain/TaskErrors.ts"

const formatted = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => (issue._tag === "MissingKey" ? "it is missing" : SchemaIssue.defaultLeafHook(issue))
})

/** The first problem of a part of a request: the field, and what was expected there. */
export const invalidInput = (issue: SchemaIssue.Issue): InvalidRequest => {
  const [first] = formatted(issue).issues
  const message = first?.message.replace(/^Expected/, "expected") ?? "the request does not fit"
  const path = first?.path ?? []
  return new InvalidRequest({ message: path.length === 0 ? message : `${fieldName(path)}: ${message}` })
}

/** Such as `files[0].size`. */
const fieldName = (path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>): string =>
  path
    .map((segment) => (typeof segment === "object" ? segment.key : segment))
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`))
    .join("")
