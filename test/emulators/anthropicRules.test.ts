import SDK from "@anthropic-ai/sdk"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Anthropic from "./anthropic.ts"
import { traitsOf } from "./anthropicModels.ts"
import { goldenScreenshot } from "./golden.ts"
import { isRecord } from "./httpServer.ts"
import { encodePng } from "./png.ts"

/** Each rule once, with the words of the real API. */

let emulator: Anthropic.AnthropicEmulator
let client: SDK
beforeAll(async () => {
  emulator = await Anthropic.start()
  client = new SDK({ apiKey: "key", baseURL: emulator.url, maxRetries: 0, logLevel: "off" })
})
afterAll(() => emulator.close())

const valid = { model: "claude-sonnet-4-20250514", max_tokens: 100, messages: [{ role: "user", content: "hi" }] }

/** The status and message with which the body is answered; "ok" when it is taken. */
const verdict = async (body: unknown, headers: Record<string, string | null> = {}): Promise<string> => {
  try {
    await client.post("/v1/messages", { body, headers })
    return "ok"
  } catch (error) {
    if (!(error instanceof SDK.APIError)) throw error
    return `${error.status} ${error.type} ${error.apiMessage}`
  }
}

const withBody = (change: Record<string, unknown>) => verdict({ ...valid, ...change })
const withMessages = (...messages: ReadonlyArray<unknown>) => withBody({ messages })
const withUserBlocks = (...content: ReadonlyArray<unknown>) => withMessages({ role: "user", content })
const bad = (message: string) => `400 invalid_request_error ${message}`

const text = (value: string) => ({ type: "text", text: value })
const use = (id: string, name = "look") => ({ type: "tool_use", id, name, input: {} })
const result = (id: string, rest: Record<string, unknown> = {}) => ({ type: "tool_result", tool_use_id: id, ...rest })
const user = (...content: ReadonlyArray<unknown>) => ({ role: "user", content })
const assistant = (...content: ReadonlyArray<unknown>) => ({ role: "assistant", content })
const image = (data: string = goldenScreenshot, media_type = "image/png") => ({
  type: "image",
  source: { type: "base64", media_type, data }
})
const document = (source: Record<string, unknown>, rest: Record<string, unknown> = {}) => ({
  type: "document",
  source,
  ...rest
})
const pdf = { type: "base64", media_type: "application/pdf", data: Buffer.from("%PDF-1.7\n").toString("base64") }
const tool = (name: string, rest: Record<string, unknown> = {}) => ({
  name,
  input_schema: { type: "object", properties: {} },
  ...rest
})
const ephemeral = { cache_control: { type: "ephemeral" } }
const pngOf = (width: number, height: number) =>
  encodePng({ width, height, rgba: new Uint8Array(width * height * 4) }).toString("base64")

describe("what is taken", () => {
  it("a whole conversation as a careful client sends it", async () => {
    expect(
      await verdict({
        ...valid,
        system: [{ ...text("be good"), ...ephemeral }],
        tools: [
          tool("look", { description: "Looks." }),
          tool("click", {
            ...ephemeral,
            input_schema: {
              type: "object",
              properties: {
                at: { $ref: "#/$defs/Point" },
                button: { type: "string", enum: ["left", "right"] },
                count: { type: "integer", minimum: 1 },
                maybe: { anyOf: [{ type: "string" }, { type: "null" }] }
              },
              required: ["at"],
              additionalProperties: false,
              $defs: { Point: { type: "object", properties: { x: { type: "number" } } } }
            }
          })
        ],
        tool_choice: { type: "auto" },
        thinking: { type: "disabled" },
        messages: [
          user(text("do it "), image()),
          assistant({ type: "redacted_thinking", data: "eA==" }, text("ok"), use("a"), use("b", "click")),
          user(
            result("a", { content: [text("done"), image(), document(pdf, { title: "notes.pdf" })] }),
            result("b", { content: "no", is_error: true }),
            text("and then?")
          ),
          { role: "user", content: "and one more message" },
          assistant(use("c")),
          user(
            result("c", {
              content: [document({ type: "text", media_type: "text/plain", data: "hello" })],
              ...ephemeral
            })
          )
        ]
      })
    ).toBe("ok")
  })

  it("a final assistant message where the model can continue it", async () => {
    expect(await withMessages(user(text("x")), assistant(text("so far")))).toBe("ok")
    expect(await withMessages(user(text("x")), { role: "assistant", content: [] })).toBe("ok")
  })
})

describe("headers and body", () => {
  it.each([
    ["no key", { "x-api-key": null }, "401 authentication_error x-api-key header is required"],
    ["an empty key", { "x-api-key": "" }, "401 authentication_error invalid x-api-key"],
    ["no version", { "anthropic-version": null }, bad("anthropic-version: header is required")],
    ["another version", { "anthropic-version": "1" }, bad('anthropic-version: "1" is not a valid version')]
  ])("%s", async (_name, headers, expected) => {
    const sent = Object.entries({ "x-api-key": "key", "anthropic-version": "2023-06-01", ...headers })
    const response = await fetch(`${emulator.url}/v1/messages`, {
      method: "POST",
      headers: sent.flatMap(([name, value]): Array<[string, string]> => (value === null ? [] : [[name, value]])),
      body: JSON.stringify(valid)
    })
    const body: unknown = await response.json()
    const error = isRecord(body) && isRecord(body.error) ? body.error : {}
    expect(`${response.status} ${error.type} ${error.message}`).toBe(expected)
    expect(body).toMatchObject({ type: "error", request_id: response.headers.get("request-id") })
  })

  it("a wrong key, an unknown model, a body too large or not JSON", async () => {
    const strict = await Anthropic.start({ apiKey: "right", models: ["claude-opus-5-5"], maxBodyBytes: 1000 })
    const post = async (key: string, body: string) => {
      const headers = { "x-api-key": key, "anthropic-version": "2023-06-01" }
      const response = await fetch(`${strict.url}/v1/messages`, { method: "POST", headers, body })
      return [response.status, await response.json()]
    }
    const error = (type: string, message: string) => ({ type: "error", error: { type, message } })
    expect(await post("wrong", "{}")).toMatchObject([401, error("authentication_error", "invalid x-api-key")])
    expect(await post("right", JSON.stringify(valid))).toMatchObject([
      404,
      error("not_found_error", "model: claude-sonnet-4-20250514")
    ])
    expect(await post("right", JSON.stringify({ ...valid, system: "x".repeat(1000) }))).toMatchObject([
      413,
      error("request_too_large", "Request exceeds the maximum size")
    ])
    expect(await post("right", "{")).toMatchObject([
      400,
      error("invalid_request_error", "The request body is not valid JSON")
    ])
    expect(strict.rejected.map(({ status }) => status)).toEqual([401, 404, 413, 400])
    expect(strict.requests).toEqual([])
    await strict.close()
  })

  it("rejections use up no reply and are found in the ledger", async () => {
    emulator.reset()
    emulator.enqueue({ content: [{ type: "text", text: "still here" }] })
    expect(await verdict({})).toBe(bad("max_tokens: Field required"))
    expect(emulator.pending()).toBe(1)
    expect(emulator.rejected).toMatchObject([{ status: 400, body: {}, error: "max_tokens: Field required" }])
    emulator.reset()
  })
})

describe.each<readonly [string, ReadonlyArray<readonly [string, Record<string, unknown>, string]>]>([
  [
    "top level",
    [
      ["no model", { model: undefined }, "model: Field required"],
      ["a model that is no string", { model: { name: "x" } }, "model: Input should be a valid string"],
      ["no max_tokens", { max_tokens: undefined }, "max_tokens: Field required"],
      ["fractional max_tokens", { max_tokens: 1.5 }, "max_tokens: Input should be a valid integer"],
      ["negative max_tokens", { max_tokens: -1 }, "max_tokens: Input should be greater than or equal to 0"],
      ["no messages", { messages: undefined }, "messages: Field required"],
      ["messages that are no list", { messages: "hi" }, "messages: Input should be a valid list"],
      ["empty messages", { messages: [] }, "messages: at least one message is required"],
      ["an unknown key", { context: 1 }, "context: Extra inputs are not permitted"],
      ["an unknown key in metadata", { metadata: { task: "1" } }, "metadata.task: Extra inputs are not permitted"],
      [
        "an unknown effort",
        { output_config: { effort: "some" } },
        "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"
      ],
      [
        "empty stop sequences",
        { stop_sequences: [" "] },
        "stop_sequences: each stop sequence must contain non-whitespace"
      ],
      ["a number as system", { system: 1 }, "system: Input should be a valid string"],
      ["an empty system block", { system: [text("")] }, "system: text content blocks must be non-empty"],
      ["a temperature", { temperature: 1 }, "temperature: Extra inputs are not permitted"]
    ]
  ],
  [
    "messages",
    [
      [
        "another role",
        { messages: [{ role: "system", content: "x" }] },
        "messages.0.role: Input should be 'user' or 'assistant'"
      ],
      ["assistant first", { messages: [assistant(text("x"))] }, 'messages: first message must use the "user" role'],
      ["no content", { messages: [{ role: "user" }] }, "messages.0.content: Field required"],
      [
        "an unknown key",
        { messages: [{ ...user(text("x")), id: "1" }] },
        "messages.0.id: Extra inputs are not permitted"
      ],
      [
        "empty string",
        { messages: [{ role: "user", content: "" }] },
        "messages.0: all messages must have non-empty content except for the optional final assistant message"
      ],
      [
        "empty list",
        { messages: [user(text("x")), assistant(), user(text("y"))] },
        "messages.1: all messages must have non-empty content except for the optional final assistant message"
      ],
      ["an empty text", { messages: [user(text("x"), text(""))] }, "messages: text content blocks must be non-empty"],
      [
        "nothing but whitespace",
        { messages: [user(text(" \n"))] },
        "messages: text content blocks must contain non-whitespace text"
      ],
      [
        "an empty text in a result",
        { messages: [user(text("x")), assistant(use("a")), user(result("a", { content: [text("")] }))] },
        "messages: text content blocks must be non-empty"
      ],
      [
        "final whitespace",
        { messages: [user(text("x")), assistant(text("so "))] },
        "messages: final assistant content cannot end with trailing whitespace"
      ],
      [
        "a user_action",
        { messages: [user({ type: "user_action", content: [] })] },
        "messages.0.content.0: Input tag 'user_action' found using 'type' does not match any of the expected tags: 'document', 'image', 'redacted_thinking', 'search_result', 'text', 'thinking', 'tool_result', 'tool_use'"
      ],
      [
        "tool_use of the user",
        { messages: [user(use("a"))] },
        "messages.0.content.0: `tool_use` blocks can only be in `assistant` messages"
      ],
      [
        "tool_result of the assistant",
        { messages: [user(text("x")), assistant(result("a"))] },
        "messages.1.content.0: `tool_result` blocks can only be in `user` messages"
      ],
      [
        "a citation of the user",
        { messages: [user({ ...text("x"), citations: [] })] },
        "messages.0.content.0.text.citations: Extra inputs are not permitted"
      ],
      [
        "a document's name",
        { messages: [user(document(pdf, { name: "a.pdf" }))] },
        "messages.0.content.0.document.name: Extra inputs are not permitted"
      ],
      [
        "a document's size",
        { messages: [user(document(pdf, { size: 9 }))] },
        "messages.0.content.0.document.size: Extra inputs are not permitted"
      ],
      [
        "a cached thought",
        {
          messages: [
            user(text("x")),
            assistant({ type: "thinking", thinking: "t", signature: "s", ...ephemeral }, text("y")),
            user(text("z"))
          ]
        },
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted"
      ],
      [
        "a thought without signature",
        { messages: [user(text("x")), assistant({ type: "thinking", thinking: "t" }, text("y")), user(text("z"))] },
        "messages.1.content.0.thinking.signature: Field required"
      ]
    ]
  ],
  [
    "tool calls and results",
    [
      [
        "an open call",
        { messages: [user(text("x")), assistant(use("a"), use("b")), user(result("a"), text("y"))] },
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: b. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
      ],
      [
        "an open call at the end",
        { messages: [user(text("x")), assistant(use("a"))] },
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
      ],
      [
        "a result behind a text",
        { messages: [user(text("x")), assistant(use("a")), user(text("y"), result("a"))] },
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
      ],
      [
        "a result one message late",
        { messages: [user(text("x")), assistant(use("a")), user(text("y")), user(result("a"))] },
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
      ],
      [
        "a result of nothing",
        { messages: [user(result("z"))] },
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: z. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
      ],
      [
        "two results",
        { messages: [user(text("x")), assistant(use("a")), user(result("a"), result("a"))] },
        "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id: a"
      ],
      [
        "an id used twice",
        { messages: [user(text("x")), assistant(use("a")), user(result("a")), assistant(use("a")), user(result("a"))] },
        "messages.3.content.0: `tool_use` ids must be unique"
      ],
      [
        "an odd id",
        { messages: [user(text("x")), assistant(use("a:1")), user(result("a:1"))] },
        "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
      ],
      [
        "an odd name",
        { messages: [user(text("x")), assistant(use("a", "look at")), user(result("a"))] },
        "messages.1.content.0.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{1,200}$'"
      ],
      [
        "an input that is no object",
        { messages: [user(text("x")), assistant({ ...use("a"), input: "{}" }), user(result("a"))] },
        "messages.1.content.0.tool_use.input: Input should be a valid dictionary"
      ],
      [
        "an error with a picture",
        {
          messages: [
            user(text("x")),
            assistant(use("a")),
            user(result("a", { is_error: true, content: [text("no"), image()] }))
          ]
        },
        "messages.2.content.0.tool_result: all content must be type `text` if `is_error` is true"
      ],
      [
        "a null is_error string",
        { messages: [user(text("x")), assistant(use("a")), user(result("a", { is_error: "no" }))] },
        "messages.2.content.0.tool_result.is_error: Input should be a valid boolean"
      ],
      [
        "a call inside a result",
        { messages: [user(text("x")), assistant(use("a")), user(result("a", { content: [use("b")] }))] },
        "messages.2.content.0.tool_result.content.0: Input tag 'tool_use' found using 'type' does not match any of the expected tags: 'document', 'image', 'search_result', 'text', 'tool_reference'"
      ]
    ]
  ],
  [
    "pictures and documents",
    [
      [
        "an unknown media type",
        { messages: [user(image(goldenScreenshot, "image/bmp"))] },
        "messages.0.content.0.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
      ],
      [
        "a wrong media type",
        { messages: [user(image(goldenScreenshot, "image/jpeg"))] },
        "messages.0.content.0.image.source.base64: The image was specified using the image/jpeg media type, but the image appears to be a image/png image"
      ],
      [
        "no base64",
        { messages: [user(image("data:image/png;base64,AAAA"))] },
        "messages.0.content.0.image.source.base64: invalid base64 data"
      ],
      [
        "an empty picture",
        { messages: [user(image(""))] },
        "messages.0.content.0.image.source.base64: image cannot be empty"
      ],
      [
        "no picture",
        { messages: [user(image(Buffer.from("hello!").toString("base64")))] },
        "messages.0.content.0.image.source.base64.data: Could not process image"
      ],
      [
        "a picture of more than 5 MB of base64",
        { messages: [user(image("A".repeat(5242884)))] },
        "messages.0.content.0.image.source.base64: image exceeds 5 MB maximum: 5242884 bytes > 5242880 bytes"
      ],
      [
        "a picture too wide",
        { messages: [user(image(pngOf(8001, 1)))] },
        "messages.0.content.0.image.source.base64.data: At least one of the image dimensions exceed max allowed size: 8000 pixels"
      ],
      [
        "many pictures, one too high",
        { messages: [user(...Array.from({ length: 20 }, () => image()), image(pngOf(1, 2001)))] },
        "messages.0.content.20.image.source.base64.data: At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels"
      ],
      [
        "101 pictures",
        { messages: [user(...Array.from({ length: 101 }, () => image()))] },
        "messages: too many images in the request: 101 > 100 maximum"
      ],
      [
        "a picture in a result",
        { messages: [user(text("x")), assistant(use("a")), user(result("a", { content: [image("AAAA")] }))] },
        "messages.2.content.0.tool_result.content.0.image.source.base64.data: Could not process image"
      ],
      [
        "a text file as base64",
        { messages: [user(document({ ...pdf, media_type: "text/plain" }))] },
        "messages.0.content.0.document.source.base64.media_type: Input should be 'application/pdf'"
      ],
      [
        "a PDF that is none",
        { messages: [user(document({ ...pdf, data: "aGVsbG8=" }))] },
        "messages.0.content.0.document.source.base64.data: The PDF specified was not valid."
      ],
      [
        "another text type",
        { messages: [user(document({ type: "text", media_type: "text/csv", data: "a,b" }))] },
        "messages.0.content.0.document.source.text.media_type: Input should be 'text/plain'"
      ],
      [
        "an unknown source",
        { messages: [user(document({ type: "blob" }))] },
        "messages.0.content.0.document.source: Input tag 'blob' found using 'type' does not match any of the expected tags: 'base64', 'content', 'file', 'text', 'url'"
      ],
      [
        "a key too many in a source",
        { messages: [user(document({ ...pdf, name: "a" }))] },
        "messages.0.content.0.document.source.base64.name: Extra inputs are not permitted"
      ]
    ]
  ],
  [
    "cache breakpoints",
    [
      [
        "five of them",
        {
          system: [{ ...text("s"), ...ephemeral }],
          messages: [user(...["a", "b", "c", "d"].map((x) => ({ ...text(x), ...ephemeral })))]
        },
        "A maximum of 4 blocks with cache_control may be provided. Found 5."
      ],
      [
        "another type",
        { messages: [user({ ...text("x"), cache_control: { type: "forever" } })] },
        "messages.0.content.0.text.cache_control: Input tag 'forever' found using 'type' does not match any of the expected tags: 'ephemeral'"
      ],
      [
        "another key",
        { messages: [user({ ...text("x"), cache_control: { type: "ephemeral", scope: "x" } })] },
        "messages.0.content.0.text.cache_control.ephemeral.scope: Extra inputs are not permitted"
      ],
      [
        "long after short",
        {
          system: [{ ...text("s"), ...ephemeral }],
          messages: [user({ ...text("x"), cache_control: { type: "ephemeral", ttl: "1h" } })]
        },
        "messages.0.content.0.text.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`."
      ]
    ]
  ],
  [
    "tools",
    [
      ["a name twice", { tools: [tool("a"), tool("a")] }, "tools: Tool names must be unique."],
      [
        "an odd name",
        { tools: [tool("a b")] },
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
      ],
      [
        "a long name",
        { tools: [tool("a".repeat(129))] },
        "tools.0.custom.name: String should have at most 128 characters"
      ],
      ["no schema", { tools: [{ name: "a" }] }, "tools.0.custom.input_schema: Field required"],
      [
        "a schema of another type",
        { tools: [tool("a", { input_schema: { type: "array" } })] },
        "tools.0.custom.input_schema.type: Input should be 'object'"
      ],
      [
        "a union on top",
        { tools: [tool("a", { input_schema: { type: "object", anyOf: [{ type: "object" }] } })] },
        "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
      ],
      [
        "an unknown key",
        { tools: [tool("a", { parameters: {} })] },
        "tools.0.custom.parameters: Extra inputs are not permitted"
      ],
      [
        "a choice without tools",
        { tool_choice: { type: "auto" } },
        "tool_choice: may only be specified while providing tools"
      ],
      [
        "a choice of no tool",
        { tools: [tool("a")], tool_choice: { type: "tool", name: "b" } },
        "Tool 'b' not found in provided tools"
      ],
      [
        "an unknown choice",
        { tools: [tool("a")], tool_choice: { type: "best" } },
        "tool_choice: Input tag 'best' found using 'type' does not match any of the expected tags: 'any', 'auto', 'none', 'tool'"
      ],
      ...[
        { properties: { x: { type: "int" } } },
        { properties: { x: { exclusiveMinimum: true } } },
        { properties: { x: { $ref: "#/$defs/None" } } },
        { properties: { x: { items: [{ type: "string" }] } } },
        { required: "x" }
      ].map(
        (schema) =>
          [
            `schema ${JSON.stringify(schema)}`,
            { tools: [tool("a", { input_schema: { type: "object", ...schema } })] },
            "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12)."
          ] as const
      )
    ]
  ],
  [
    "thinking and models",
    [
      [
        "an unknown type",
        { thinking: { type: "on" } },
        "thinking: Input tag 'on' found using 'type' does not match any of the expected tags: 'adaptive', 'between_tools', 'disabled', 'enabled'"
      ],
      ["no budget", { thinking: { type: "enabled" } }, "thinking.enabled.budget_tokens: Field required"],
      [
        "a small budget",
        { thinking: { type: "enabled", budget_tokens: 100 } },
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
      ],
      [
        "a budget above max_tokens",
        { max_tokens: 1024, thinking: { type: "enabled", budget_tokens: 1024 } },
        "`max_tokens` must be greater than `thinking.budget_tokens`."
      ],
      [
        "a budget where none belongs",
        { thinking: { type: "disabled", budget_tokens: 1024 } },
        "thinking.disabled.budget_tokens: Extra inputs are not permitted"
      ],
      [
        "a forced tool while thinking",
        {
          max_tokens: 2000,
          tools: [tool("a")],
          tool_choice: { type: "any" },
          thinking: { type: "enabled", budget_tokens: 1024 }
        },
        "Thinking may not be enabled when tool_choice forces tool use."
      ],
      [
        "a lost thought",
        {
          max_tokens: 2000,
          thinking: { type: "enabled", budget_tokens: 1024 },
          messages: [user(text("x")), assistant(use("a")), user(result("a"))]
        },
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
      ],
      [
        "adaptive on an old model",
        { thinking: { type: "adaptive" } },
        "adaptive thinking is not supported on this model"
      ],
      [
        "manual on a new model",
        { model: "claude-opus-4-7", max_tokens: 2000, thinking: { type: "enabled", budget_tokens: 1024 } },
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
      ],
      [
        "disabled where it can't be",
        { model: "claude-opus-5-5", thinking: { type: "disabled" } },
        '"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
      ],
      [
        "a forced tool on a new model",
        { model: "claude-opus-5-5", tools: [tool("a")], tool_choice: { type: "any" } },
        "tool_choice: forced tool use is not supported for this model"
      ],
      [
        "a prefill on a new model",
        { model: "claude-sonnet-4-6", messages: [user(text("x")), assistant(text("y"))] },
        "This model does not support assistant message prefill. The conversation must end with a user message."
      ]
    ]
  ]
])("%s", (_title, cases) => {
  it.each(cases)("%s", async (_name, change, message) => {
    expect(await withBody(change)).toBe(bad(message))
  })
})

describe("the version 2023-06-01", () => {
  const thinking = { type: "enabled", budget_tokens: 1024 }
  it.each<readonly [string, Record<string, unknown>, string]>([
    ["a temperature", { temperature: 0.5, top_p: 1, top_k: 3 }, "ok"],
    ["one that is no number", { temperature: "1" }, bad("temperature: Input should be a valid number")],
    [
      "one while thinking",
      { max_tokens: 2000, temperature: 0.5, thinking },
      bad("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")
    ],
    [
      "one on a new model",
      { model: "claude-opus-4-8", temperature: 1 },
      bad("`temperature` is deprecated for this model.")
    ]
  ])("%s", async (_name, change, expected) => {
    expect(await verdict({ ...valid, ...change }, { "anthropic-version": "2023-06-01" })).toBe(expected)
  })
})

describe("thoughts", () => {
  it("must come back as they were given out", async () => {
    emulator.reset()
    emulator.enqueue({
      content: [
        { type: "thinking", thinking: "first this", signature: "S1" },
        { type: "text", text: "ok" }
      ]
    })
    expect(await withUserBlocks(text("x"))).toBe("ok")
    const back = (thinking: string) =>
      withMessages(
        user(text("x")),
        assistant({ type: "thinking", thinking, signature: "S1" }, text("ok")),
        user(text("on"))
      )
    expect(await back("first this")).toBe("ok")
    expect(await back("first that")).toContain("messages.1.content.0: `thinking` or `redacted_thinking` blocks")
  })
})

describe("traitsOf", () => {
  it.each([
    [
      "claude-opus-4-1-20250805",
      { prefill: true, thinking: ["enabled", "disabled"], sampling: true, forcedTools: true }
    ],
    [
      "claude-sonnet-4-6",
      { prefill: false, thinking: ["enabled", "disabled", "adaptive"], sampling: true, forcedTools: true }
    ],
    ["claude-opus-4-7", { prefill: false, thinking: ["disabled", "adaptive"], sampling: false, forcedTools: true }],
    [
      "claude-sonnet-5-5",
      { prefill: false, thinking: ["adaptive", "between_tools"], sampling: true, forcedTools: true }
    ],
    ["claude-opus-5-5", { prefill: false, thinking: ["adaptive"], sampling: false, forcedTools: false }],
    ["claude-fable-5-2", { prefill: false, thinking: ["adaptive"], sampling: false, forcedTools: false }],
    ["something-else", { prefill: true, sampling: true, forcedTools: true }]
  ])("%s", (model, traits) => {
    expect(traitsOf(model)).toMatchObject(traits)
  })
})
