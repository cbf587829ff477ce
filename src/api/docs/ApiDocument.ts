import { OpenApi } from "effect/http-api"
import packageJson from "../../../package.json" with { type: "json" }
import { Effort, Role, TaskPriority, TaskType } from "../../domain/Task.ts"
import { Api } from "../Api.ts"
import { operations } from "./Operations.ts"

type Spec = OpenApi.OpenAPISpec
type Operation = OpenApi.OpenAPISpecOperation

const security = [{ bearer: [] }, { apiKey: [] }, { cookie: [] }]

/** What is readable without credentials while accounts are on. */
const isOpen = (path: string) => path === "/" || path.startsWith("/health")

/** A new task as a form, with files as they are; `model[provider]` and `model[name]` choose a model. */
const newTaskForm = {
  type: "object",
  properties: {
    description: { type: "string", minLength: 1 },
    type: { type: "string", enum: TaskType.literals },
    priority: { type: "string", enum: TaskPriority.literals },
    createdBy: { type: "string", enum: Role.literals },
    scheduledFor: { type: "string", format: "date-time" },
    effort: { type: "string", enum: Effort.literals },
    desktop: { type: "string" },
    "model[provider]": { type: "string" },
    "model[name]": { type: "string" },
    files: { type: "array", items: { type: "string", contentMediaType: "application/octet-stream" } }
  },
  required: ["description"]
}

const documented = (path: string, operation: Operation): Operation => {
  const { description, request, response, summary } = operations[operation.operationId] ?? {}
  const { requestBody } = operation
  return {
    ...operation,
    ...(summary === undefined ? {} : { summary }),
    ...(description === undefined ? {} : { description }),
    security: isOpen(path) ? [] : security,
    ...(requestBody === undefined || request === undefined
      ? {}
      : {
          requestBody: {
            ...requestBody,
            content: {
              ...withExample(requestBody.content, request),
              ...(operation.operationId === "tasks.create" ? { "multipart/form-data": { schema: newTaskForm } } : {})
            }
          }
        }),
    responses: Object.fromEntries(
      Object.entries(operation.responses).map(([status, answer]) => [
        status,
        status.startsWith("2") && response !== undefined && answer.content !== undefined
          ? { ...answer, content: withExample(answer.content, response) }
          : answer
      ])
    )
  }
}

const withExample = <Content extends object>(content: Content, example: unknown): Content => ({
  ...content,
  ...Object.fromEntries(
    Object.entries(content)
      .filter(([type]) => type.startsWith("application/json"))
      .map(([type, body]) => [type, { ...body, example }])
  )
})

const spec = OpenApi.fromApi(Api)

/** The REST API as OpenAPI 3.1: every route, error and example. */
export const apiDocument: Spec = {
  ...spec,
  info: {
    title: "Bytebot agent",
    version: packageJson.version,
    description:
      "Accepts tasks in plain language, runs an AI model in a loop against a desktop, streams every step, lets a person take over and hand back. Every route is under `/api`, too. Events over Socket.IO are described at `/docs/events`."
  },
  paths: Object.fromEntries(
    Object.entries(spec.paths).map(([path, item]) => [
      path,
      Object.fromEntries(
        Object.entries(item).map(([method, operation]) => [
          method,
          "operationId" in operation ? documented(path, operation) : operation
        ])
      )
    ])
  ),
  components: {
    ...spec.components,
    securitySchemes: {
      bearer: {
        type: "http",
        scheme: "bearer",
        description: "A session's token or an API key, while accounts are on."
      },
      apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
      cookie: { type: "apiKey", in: "cookie", name: "better-auth.session_token" }
    }
  }
}

/** The same for pages that are made from the API's definition. */
export const DocumentedApi = Api.annotateMerge(OpenApi.annotations({ transform: () => ({ ...apiDocument }) }))
