import SDK from "openai"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { goldenScreenshot } from "./golden.ts"
import * as OpenAI from "./openai.ts"

/** Each rule once, with the words of the real API. */

let emulator: OpenAI.OpenAIEmulator
let client: SDK
beforeAll(async () => {
  emulator = await OpenAI.start({ apiKey: "sk-proj-right-key" })
  client = new SDK({ apiKey: "sk-proj-right-key", baseURL: `${emulator.url}/v1`, maxRetries: 0, logLevel: "off" })
})
afterAll(() => emulator.close())

const valid = { model: "gpt-6.1-sol", store: false, input: "hi" }

/** Status, message, parameter and code of the answer; "ok" when the body is taken. */
const verdict = async (body: unknown, headers: Record<string, string | null> = {}): Promise<string> => {
  try {
    await client.post("/responses", { body, headers })
    return "ok"
  } catch (error) {
    if (!(error instanceof SDK.APIError)) throw error
    return `${error.message} [${error.param ?? ""}, ${error.code ?? ""}]`
  }
}

const withBody = (change: Record<string, unknown>) => verdict({ ...valid, ...change })
const withItems = (...input: ReadonlyArray<unknown>) => withBody({ input })
const withParts = (...content: ReadonlyArray<unknown>) => withItems({ role: "user", content })
const withTool = (tool: Record<string, unknown>) => withBody({ tools: [{ ...look, ...tool }] })

const look = { type: "function", name: "look", parameters: { type: "object", properties: {} }, strict: false }
const user = { role: "user", content: "hi" }
const said = { role: "assistant", content: "so far" }
const call = (call_id: string, more: Record<string, unknown> = {}) => ({
  type: "function_call",
  call_id,
  name: "look",
  arguments: "{}",
  ...more
})
const output = (call_id: string, result: unknown = "done") => ({
  type: "function_call_output",
  call_id,
  output: result
})
const text = (value: string) => ({ type: "input_text", text: value })
const image = (image_url: string) => ({ type: "input_image", image_url, detail: "high" })
const screenshot = image(`data:image/png;base64,${goldenScreenshot}`)
const pdf = `data:application/pdf;base64,${Buffer.from("%PDF-1.7\n").toString("base64")}`
const thought = (encrypted_content: string, more: Record<string, unknown> = {}) => ({
  type: "reasoning",
  summary: [],
  encrypted_content,
  ...more
})

/** Has the emulator give out reasoning. */
const reason = async (signature: string, model = valid.model) => {
  emulator.enqueue({ content: [{ type: "thinking", thinking: "hm", signature }] })
  const { output } = await client.responses.create({ model, input: "x", include: ["reasoning.encrypted_content"] })
  return output[0]
}

describe("what is taken", () => {
  it("a whole conversation as a careful client sends it", async () => {
    await reason("c2VjcmV0")
    expect(
      await verdict({
        model: "gpt-6.1-sol",
        store: false,
        instructions: "be good",
        include: ["reasoning.encrypted_content"],
        reasoning: { effort: "medium", summary: "auto" },
        max_output_tokens: 32_768,
        prompt_cache_key: "task",
        tool_choice: "none",
        tools: [look, { ...look, name: "click", description: "Clicks." }],
        input: [
          { role: "user", content: [text("do it"), screenshot] },
          thought("c2VjcmV0", { summary: [{ type: "summary_text", text: "hm" }] }),
          { ...said, phase: "commentary" },
          call("a"),
          call("b", { name: "click", arguments: '{"x":1}' }),
          output("a", [text("done"), screenshot]),
          output("b", [{ type: "input_file", filename: "a.pdf", file_data: pdf }]),
          user
        ]
      })
    ).toBe("ok")
  })

  it.each([
    ["a model that does not reason", { model: "gpt-4.1", temperature: 0, max_output_tokens: 32_768 }],
    ["a forced tool", { tools: [look], tool_choice: { type: "function", name: "look" } }],
    ["outputs in another order", { input: [user, call("a"), call("b"), output("b"), output("a")] }],
    ["an answer of the API itself", { input: [user, { type: "message", id: "msg_1", status: "completed", ...said }] }],
    [
      "a strict tool",
      {
        tools: [
          {
            ...look,
            strict: true,
            parameters: {
              type: "object",
              properties: { at: { type: ["string", "null"] } },
              required: ["at"],
              additionalProperties: false
            }
          }
        ]
      }
    ]
  ])("%s", async (_name, change) => {
    expect(await withBody(change)).toBe("ok")
  })
})

describe("authentication", () => {
  it("wants the key, and shows only a part of a wrong one", async () => {
    expect(await verdict(valid, { authorization: null })).toMatch(/^401 You didn't provide an API key\./)
    expect(await verdict(valid, { authorization: "Bearer sk-proj-some-other-key" })).toMatch(
      /^401 Incorrect API key provided: sk-proj-\*{8}-key\. .* \[, invalid_api_key\]$/
    )
  })
})

const imageHint =
  "Expected a base64-encoded data URL with an image MIME type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU=')"

describe("parameters", () => {
  it.each<[Record<string, unknown>, string]>([
    [{ surprise: 1 }, "400 Unknown parameter: 'surprise'. [surprise, unknown_parameter]"],
    [{ model: undefined }, "400 Missing required parameter: 'model'. [model, missing_required_parameter]"],
    [
      { store: "no" },
      "400 Invalid type for 'store': expected a boolean, but got a string instead. [store, invalid_type]"
    ],
    [
      { max_output_tokens: 5 },
      "400 Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 5 instead. " +
        "[max_output_tokens, integer_below_min_value]"
    ],
    [
      { model: "gpt-4o", max_output_tokens: 20_000 },
      "400 max_output_tokens is too large: 20000. This model supports at most 16384 completion tokens, whereas you provided " +
        "20000. [max_output_tokens, invalid_value]"
    ],
    [
      { temperature: 1 },
      "400 Unsupported parameter: 'temperature' is not supported with this model. [temperature, unsupported_parameter]"
    ],
    [
      { model: "gpt-4.1", reasoning: { effort: "medium" } },
      "400 Unsupported parameter: 'reasoning.effort' is not supported with this model. [reasoning.effort, unsupported_parameter]"
    ],
    [
      { model: "gpt-5-pro", reasoning: { effort: "medium" } },
      "400 Unsupported value: 'medium' is not supported with the 'gpt-5-pro' model. Supported values are: 'high'. " +
        "[reasoning.effort, unsupported_value]"
    ],
    [
      { model: "gpt-4.1", include: ["reasoning.encrypted_content"] },
      "400 Encrypted content is not supported with this model. [include, ]"
    ],
    [{ include: ["all"] }, "400 Invalid value: 'all'. Supported values are: "],
    [
      { prompt_cache_key: "k".repeat(65) },
      "400 Invalid 'prompt_cache_key': string too long. Expected a string with maximum length 64, but got a string with " +
        "length 65 instead. [prompt_cache_key, string_above_max_length]"
    ],
    [
      { previous_response_id: "resp_1" },
      "400 Previous response with id 'resp_1' not found. [previous_response_id, previous_response_not_found]"
    ],
    [
      { input: [] },
      "400 One of 'input' or 'previous_response_id' or 'prompt' or 'conversation' must be provided. " +
        "[input, missing_required_parameter]"
    ],
    [
      { tool_choice: { type: "function", name: "jump" } },
      "400 Tool choice 'function' not found in 'tools' parameter. [tool_choice, invalid_value]"
    ]
  ])("%j", async (change, answer) => {
    expect((await withBody(change)).slice(0, answer.length)).toBe(answer)
  })

  it("a model that does not exist", async () => {
    const narrow = await OpenAI.start({ models: ["gpt-6.1-sol"] })
    const other = new SDK({ apiKey: "key", baseURL: `${narrow.url}/v1`, maxRetries: 0, logLevel: "off" })
    await expect(other.responses.create({ model: "gpt-0", input: "x" })).rejects.toMatchObject({
      status: 400,
      code: "model_not_found",
      param: "model"
    })
    await narrow.close()
  })

  it("a body that is too large, is no JSON, or goes elsewhere", async () => {
    const narrow = await OpenAI.start({ maxBodyBytes: 100 })
    const other = new SDK({ apiKey: "key", baseURL: `${narrow.url}/v1`, maxRetries: 0, logLevel: "off" })
    await expect(other.responses.create({ model: "gpt-6.1-sol", input: "x".repeat(100) })).rejects.toMatchObject({
      status: 413
    })
    await narrow.close()
    const headers = { authorization: "Bearer sk-proj-right-key" }
    const answer = await fetch(`${emulator.url}/v1/responses`, { method: "POST", headers, body: "{" })
    expect([answer.status, await answer.text()]).toEqual([
      400,
      expect.stringContaining("could not parse the JSON body")
    ])
    const elsewhere = await fetch(`${emulator.url}/responses`, { method: "POST", headers, body: "{}" })
    expect([elsewhere.status, await elsewhere.text()]).toEqual([
      404,
      expect.stringContaining("Invalid URL (POST /responses)")
    ])
  })
})

describe("tools", () => {
  const schema = (problem: string) =>
    `400 Invalid schema for function 'look': ${problem} [tools[0].parameters, invalid_function_parameters]`

  it.each<[Record<string, unknown>, string]>([
    [
      { name: "look around" },
      "400 Invalid 'tools[0].name': string does not match pattern. Expected a string that matches the pattern " +
        "'^[a-zA-Z0-9_-]+$'. [tools[0].name, invalid_value]"
    ],
    [{ type: "magic" }, "400 Invalid value: 'magic'. Supported values are: 'function'. [tools[0].type, invalid_value]"],
    [{ parameters: {} }, schema(`schema must be a JSON Schema of 'type: "object"', got 'type: "None"'.`)],
    [{ parameters: { type: "object" } }, schema("In context=(), object schema missing properties.")],
    [
      { parameters: { type: "object", properties: {}, not: {} } },
      schema("schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level.")
    ],
    [
      { parameters: { type: "object", properties: { a: { type: "text" } } } },
      schema("schema is not valid JSON Schema.")
    ],
    [{ strict: true }, schema("In context=(), 'additionalProperties' is required to be supplied and to be false.")],
    [
      {
        strict: true,
        parameters: { type: "object", properties: { a: {}, b: {} }, required: ["a"], additionalProperties: false }
      },
      schema(
        "In context=(), 'required' is required to be supplied and to be an array including every key in properties. " +
          "Missing 'b'."
      )
    ]
  ])("%j", async (change, answer) => {
    expect(await withTool(change)).toBe(answer)
  })

  it("names are unique, and there are 128 at most", async () => {
    expect(await withBody({ tools: [look, look] })).toContain("Tool names must be unique")
    const many = Array.from({ length: 129 }, (_, i) => ({ ...look, name: `t${i}` }))
    expect(await withBody({ tools: many })).toContain("Expected an array with maximum length 128")
  })
})

describe("content", () => {
  it.each<[string, ReadonlyArray<unknown>, string]>([
    ["no role", [{ type: "message", content: "x" }], "400 Missing required parameter: 'input[0].role'."],
    ["another role", [{ role: "tool", content: "x" }], "400 Invalid value: 'tool'."],
    ["no content", [{ role: "user" }], "400 Missing required parameter: 'input[0].content'."],
    [
      "content of another type",
      [{ role: "user", content: 5 }],
      "400 Invalid type for 'input[0].content': expected one of an array of objects or string, but got an integer instead."
    ],
    ["nothing at all", [{ role: "user", content: [] }], "400 Invalid 'input[0].content': empty array."],
    [
      "what the user says, from the assistant",
      [{ role: "assistant", content: [text("x")] }],
      "400 Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'. [input[0].content[0].type, invalid_value]"
    ],
    [
      "what the assistant says, from the user",
      [{ role: "user", content: [{ type: "output_text", text: "x" }] }],
      "400 Invalid value: 'output_text'. Supported values are: 'input_text', 'input_image', and 'input_file'."
    ],
    [
      "a key too many",
      [{ role: "user", content: [{ ...text("x"), cache_control: {} }] }],
      "400 Unknown parameter: 'input[0].content[0].cache_control'. [input[0].content[0].cache_control, unknown_parameter]"
    ],
    ["an unknown item", [{ type: "surprise" }], "400 Invalid value: 'surprise'. Supported values are: 'message', "],
    [
      "something stored",
      [{ type: "item_reference", id: "msg_1" }],
      "404 Item with id 'msg_1' not found. Items are not persisted when `store` is set to false."
    ]
  ])("%s", async (_name, items, answer) => {
    expect((await withItems(...items)).slice(0, answer.length)).toBe(answer)
  })

  const path = "input[0].content[0].image_url"
  it.each<[string, unknown, string]>([
    ["no picture", { type: "input_image" }, `400 Missing required parameter: '${path}'.`],
    ["no URL", image("x"), `400 Invalid '${path}'. Expected a valid URL, but got a value with an invalid format.`],
    [
      "a format that is not taken",
      image("data:image/bmp;base64,AAAA"),
      `400 Invalid '${path}'. ${imageHint}, but got unsupported MIME type 'image/bmp'.`
    ],
    [
      "no base64",
      image("data:image/png;base64,???"),
      `400 Invalid '${path}'. ${imageHint}, but got an invalid base64-encoded value.`
    ],
    [
      "no image",
      image("data:image/png;base64,AAAA"),
      "400 The image data you provided does not represent a valid image."
    ],
    ["a wrong detail", { ...screenshot, detail: "full" }, "400 Invalid value: 'full'."],
    [
      "a file without its name",
      { type: "input_file", file_data: pdf },
      "400 Missing required parameter: 'input[0].content[0].filename'."
    ],
    [
      "a file that is no data URL",
      { type: "input_file", filename: "a.pdf", file_data: "JVBERi0=" },
      "400 Invalid 'input[0].content[0].file_data'. Expected a base64-encoded data URL"
    ],
    [
      "a PDF that is none",
      { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,AAAA" },
      "400 The file could not be parsed as a PDF."
    ]
  ])("%s", async (_name, part, answer) => {
    expect((await withParts(part)).slice(0, answer.length)).toBe(answer)
  })

  it("has at most 500 pictures", async () => {
    expect(await withParts(...Array.from({ length: 501 }, () => image("https://pictures.example/1.png")))).toBe(
      "400 Too many images in request. Max is 500. [input, max_images_per_request]"
    )
  })
})

describe("calls and their outputs", () => {
  const unanswered = (id: string) => `400 No tool output found for function call ${id}. [input, ]`
  const uncalled = (id: string) => `400 No tool call found for function call output with call_id ${id}. [input, ]`

  it.each<[string, ReadonlyArray<unknown>, string]>([
    ["no output", [user, call("a")], unanswered("a")],
    ["one of two outputs", [user, call("a"), call("b"), output("a"), user], unanswered("b")],
    ["an output that comes late", [user, call("a"), user, output("a")], unanswered("a")],
    ["an output without its call", [user, output("a")], uncalled("a")],
    ["an output before its call", [user, output("a"), call("a")], uncalled("a")],
    ["two outputs for one call", [user, call("a"), output("a", "done"), output("a", [screenshot])], uncalled("a")],
    [
      "the same call twice",
      [user, call("a"), output("a"), call("a"), output("a")],
      "400 Duplicate function call found with call_id a. [input, ]"
    ],
    [
      "a call's id in place of its item's",
      [user, call("call_1", { id: "call_1" }), output("call_1")],
      "400 Invalid 'input[1].id': 'call_1'. Expected an ID that begins with 'fc'. [input[1].id, invalid_value]"
    ],
    [
      "the same item twice",
      [user, call("a", { id: "fc_1" }), output("a"), call("b", { id: "fc_1" }), output("b")],
      "400 Duplicate item found with id fc_1. Remove duplicate items from your input and try again. [input, ]"
    ],
    [
      "an id that is too long",
      [user, call("a".repeat(65)), output("a".repeat(65))],
      "400 Invalid 'input[1].call_id': string too long. Expected a string with maximum length 64, but got a string with " +
        "length 65 instead. [input[1].call_id, string_above_max_length]"
    ],
    [
      "arguments that are no text",
      [user, call("a", { arguments: {} }), output("a")],
      "400 Invalid type for 'input[1].arguments': expected a string, but got an object instead. [input[1].arguments, invalid_type]"
    ],
    [
      "an output that is no text",
      [user, call("a"), output("a", { ok: true })],
      "400 Invalid type for 'input[2].output': expected one of an array of objects or string, but got an object instead. " +
        "[input[2].output, invalid_type]"
    ],
    [
      "Anthropic's words",
      [user, call("a"), { ...output("a"), is_error: true }],
      "400 Unknown parameter: 'input[2].is_error'. [input[2].is_error, unknown_parameter]"
    ]
  ])("%s", async (_name, items, answer) => {
    expect(await withItems(...items)).toBe(answer)
  })
})

describe("reasoning", () => {
  const unverified = (shown: string) =>
    `400 The encrypted content ${shown} could not be verified. Reason: Encrypted content could not be decrypted or ` +
    "parsed. [, invalid_encrypted_content]"
  const alone = (name: string) =>
    `400 Item '${name}' of type 'reasoning' was provided without its required following item. [input, ]`

  it("comes back as it was, to the model that it came from", async () => {
    await reason("YWFhYQ==")
    expect(await withItems(user, thought("YWFhYQ=="), said, user)).toBe("ok")
    expect(await withItems(user, thought("YWFhYg=="), said, user)).toBe(unverified("YWFh...Yg=="))
    const other = { model: "gpt-6-luna", input: [user, thought("YWFhYQ=="), said, user] }
    expect(await withBody(other)).toBe(unverified("YWFh...YQ=="))
    expect(await withBody({ ...other, model: "gpt-4.1" })).toBe(
      "400 Reasoning input items can only be provided to a reasoning or computer use model. Remove reasoning items from " +
        "your input and try again. [input, ]"
    )
  })

  it("stands before what it led to, before a message with the ids of both or of none", async () => {
    const item = await reason("YmJiYg==")
    if (item?.type !== "reasoning") throw new Error("no reasoning")
    const plain = thought("YmJiYg==")
    expect(await withItems(user, plain, user)).toBe(alone("input[1]"))
    expect(await withItems(user, plain)).toBe(alone("input[1]"))
    expect(await withItems(user, item, said, user)).toBe(alone(item.id))
    expect(await withItems(user, item, call("a", { id: "fc_1" }), output("a"))).toBe("ok")
    expect(await withItems(user, item, call("a"), output("a"))).toBe("ok")
  })

  it("is not there where it was neither stored nor sent along", async () => {
    const { encrypted_content: _, ...bare } = thought("")
    expect(await withItems(user, { ...bare, id: "rs_1" }, said)).toMatch(/^404 Item with id 'rs_1' not found\./)
    expect(await withItems(user, bare, said)).toBe(
      "400 Missing required parameter: 'input[1].id'. [input[1].id, missing_required_parameter]"
    )
  })
})
