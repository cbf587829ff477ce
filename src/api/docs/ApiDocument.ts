import { OpenApi } from "effect/http-api"
import packageJson from "../../../package.json" with { type: "json" }
import { Effort, Role, TaskPriority, TaskType } from "../../domain/Task.ts"
import { Api } from "../Api.ts"
import { operations } from "./Operations.ts"

type Spec = OpenApi.OpenAPISpec
type Operation = OpenApi.OpenAPISpecOperation

const security = [{ bearer: [] }, { apiKey: [] }, { cookie: [] }]

/** What anybody may read while accounts are on. */
const isOpen = (path: string) => path === "/" || path.startsWith("/health")

const eventStream = (operationId: string, summary: string, parameters: Operation["parameters"]): Operation => ({
  tags: ["events"],
  operationId,
  summary,
  description:
    "Server-Sent Events: `event` is the kind, `data` the payload as Socket.IO sends it, `id` a position. With `Last-Event-ID` or `after` everything missed comes first; `gap` says that some of it is not kept any more.",
  parameters: [
    ...parameters,
    {
      name: "after",
      in: "query",
      required: false,
      schema: { type: "string" },
      description: "The `id` of an earlier event; 0: the oldest that is kept."
    },
    { name: "last-event-id", in: "header", required: false, schema: { type: "string" } }
  ],
  security,
  responses: {
    200: {
      description: "The stream",
      content: {
        "text/event-stream": { schema: { type: "string" } }
      }
    }
  }
})

const taskId: Operation["parameters"] = [{ name: "id", in: "path", required: true, schema: { type: "string" } }]

/** Routes that are no endpoints of the API's definition. */
const bytes = (operationId: string, summary: string, parameters: Operation["parameters"], type: string): Operation => ({
  tags: ["messages"],
  operationId,
  summary,
  description: "As it is stored; it never changes and may be kept for ever.",
  parameters,
  security,
  responses: {
    200: { description: "The bytes", content: { [type]: { schema: { type: "string", format: "binary" } } } }
  }
})

const pathParameter = (name: string): Operation["parameters"][number] => ({
  name,
  in: "path",
  required: true,
  schema: { type: "string" }
})

const others: Spec["paths"] = {
  "/tasks/{id}/files/{fileId}": {
    get: bytes(
      "files.get",
      "A file of a task",
      [pathParameter("id"), pathParameter("fileId")],
      "application/octet-stream"
    )
  },
  "/messages/{id}/images/{n}": {
    get: bytes(
      "images.get",
      "A picture of a message, counted from 0",
      [
        pathParameter("id"),
        pathParameter("n"),
        {
          name: "w",
          required: false,
          in: "query",
          description: "As WebP without alpha, at most so many pixels wide",
          schema: { type: "integer", minimum: 1, maximum: 4096 }
        }
      ],
      "image/png"
    )
  },
  "/events": { get: eventStream("events.all", "The events of all tasks that are yours", []) },
  "/tasks/{id}/events": { get: eventStream("events.task", "The events of a task", taskId) }
}

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
  paths: {
    ...Object.fromEntries(
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
    ...others
  },
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
  },
  tags: spec.tags.flatMap((tag) =>
    tag.name === "messages" ? [tag, { name: "events", description: "What happens, as it happens." }] : [tag]
  )
}

/** The same for pages that are made from the API's definition. */
export const DocumentedApi = Api.annotateMerge(OpenApi.annotations({ transform: () => ({ ...apiDocument }) }))
