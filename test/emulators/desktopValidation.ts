import { isRecord } from "./httpServer.ts"

/**
 * The daemon's input checks, as recorded from it: bad input is a 400 whose `message` is a list of objects naming target,
 * property and constraints. Keys nobody knows pass; a missing `coordinates` passes here and fails in the action.
 */

export interface Problem {
  readonly target: unknown
  readonly value?: unknown
  readonly property: string
  readonly children: ReadonlyArray<Problem>
  readonly constraints?: Readonly<Record<string, string>>
}

type Check = (value: unknown, property: string) => { constraints: Record<string, string>; children?: Array<Problem> }

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)

const aNumber =
  (least?: number): Check =>
  (value, property) => ({
    constraints: {
      ...(least === undefined || (isNumber(value) && value >= least)
        ? {}
        : { min: `${property} must not be less than ${least}` }),
      ...(isNumber(value) ? {} : { isNumber: `${property} must be a number conforming to the specified constraints` })
    }
  })

const aString: Check = (value, property) => ({
  constraints: typeof value === "string" ? {} : { isString: `${property} must be a string` }
})

const oneOf =
  (...values: ReadonlyArray<string>): Check =>
  (value, property) => ({
    constraints:
      typeof value === "string" && values.includes(value)
        ? {}
        : { isEnum: `${property} must be one of the following values: ${values.join(", ")}` }
  })

const strings: Check = (value, property) => {
  const all = Array.isArray(value) ? value : [value]
  return {
    constraints: {
      ...(all.every((item) => typeof item === "string")
        ? {}
        : { isString: `each value in ${property} must be a string` }),
      ...(Array.isArray(value) ? {} : { isArray: `${property} must be an array` })
    }
  }
}

const optional =
  (check: Check): Check =>
  (value, property) =>
    value === undefined || value === null ? { constraints: {} } : check(value, property)

const pointChecks: Readonly<Record<string, Check>> = { x: aNumber(), y: aNumber() }

const point: Check = (value, property) => {
  if (value === undefined || value === null) return { constraints: {} }
  if (!isRecord(value)) {
    return { constraints: { nestedValidation: `nested property ${property} must be either object or array` } }
  }
  return { constraints: {}, children: problemsOf(value, pointChecks) }
}

const path: Check = (value, property) => {
  if (!Array.isArray(value)) return { constraints: { isArray: `${property} must be an array` } }
  const children = value.flatMap((item: unknown, i): ReadonlyArray<Problem> => {
    const inner = isRecord(item) ? problemsOf(item, pointChecks) : []
    return inner.length === 0 ? [] : [{ target: value, value: item, property: String(i), children: inner }]
  })
  return { constraints: {}, children }
}

const button = oneOf("left", "right", "middle")
const press = oneOf("up", "down")
const holdKeys = optional(strings)
const delay = optional(aNumber(0))

export const applications = [
  "firefox",
  "1password",
  "thunderbird",
  "vscode",
  "terminal",
  "desktop",
  "directory"
] as const

/** In the order in which the daemon reports. */
const checksOf: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  move_mouse: { coordinates: point },
  trace_mouse: { path, holdKeys },
  click_mouse: { coordinates: point, button, holdKeys, clickCount: aNumber(1) },
  press_mouse: { coordinates: point, button, press },
  drag_mouse: { path, button, holdKeys },
  scroll: { coordinates: point, direction: oneOf("up", "down", "left", "right"), scrollCount: aNumber(1), holdKeys },
  type_keys: { keys: strings, delay },
  press_keys: { keys: strings, press },
  type_text: { text: aString, delay },
  paste_text: { text: aString },
  wait: { duration: aNumber(0) },
  screenshot: {},
  cursor_position: {},
  application: { application: oneOf(...applications) },
  write_file: { path: aString, data: aString },
  read_file: { path: aString }
}

const problemsOf = (target: Record<string, unknown>, checks: Readonly<Record<string, Check>>): Array<Problem> =>
  Object.entries(checks).flatMap(([property, check]) => {
    const value = target[property]
    const { constraints, children = [] } = check(value, property)
    if (children.length === 0 && Object.keys(constraints).length === 0) return []
    return [
      {
        target,
        ...(value === undefined ? {} : { value }),
        property,
        children,
        ...(Object.keys(constraints).length === 0 ? {} : { constraints })
      }
    ]
  })

/** The 400's `message`, or undefined when the daemon would go on to execute. */
export const problemsWith = (body: unknown): string | ReadonlyArray<Problem> | undefined => {
  if (!isRecord(body) || !body.action) return "Missing action field"
  const checks = checksOf[String(body.action)]
  if (checks === undefined) return `Unknown action: ${String(body.action)}`
  const problems = problemsOf(body, checks)
  return problems.length === 0 ? undefined : problems
}
