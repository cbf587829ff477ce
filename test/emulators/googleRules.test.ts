import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { goldenScreenshot } from "./golden.ts"
import * as Google from "./google.ts"
import { isRecord } from "./httpServer.ts"

/** Each rule once, with the words of the real API where they are known. */

let emulator: Google.GoogleEmulator
beforeAll(async () => {
  emulator = await Google.start()
})
afterAll(() => emulator.close())
beforeEach(() => emulator.reset())

const modern = "gemini-3.8-flash"
const older = "gemini-2.5-pro"

const call = async (body: unknown, model = modern) => {
  const response = await fetch(`${emulator.url}/v1beta/models/${model}:generateContent`, {
    method: "POST",
    headers: { "x-goog-api-key": "key" },
    body: JSON.stringify(body)
  })
  const answer: unknown = await response.json()
  return { status: response.status, answer }
}

/** What the body is refused with; "ok" when it is taken. */
const verdict = async (body: unknown, model = modern): Promise<string> => {
  const { answer, status } = await call(body, model)
  if (status === 200) return "ok"
  const error = isRecord(answer) && isRecord(answer.error) ? answer.error : {}
  expect(error).toMatchObject({ code: status, status: "INVALID_ARGUMENT" })
  return String(error.message)
}

const text = (value: string) => ({ text: value })
const user = (...parts: ReadonlyArray<unknown>) => ({ role: "user", parts })
const model = (...parts: ReadonlyArray<unknown>) => ({ role: "model", parts })
const skip = { thoughtSignature: "skip_thought_signature_validator" }
const fc = (name: string, id?: string, rest: Record<string, unknown> = skip) => ({
  functionCall: { name, args: {}, ...(id === undefined ? {} : { id }) },
  ...rest
})
const fr = (name: string, id?: string, rest: Record<string, unknown> = {}) => ({
  functionResponse: { name, response: { output: "done" }, ...(id === undefined ? {} : { id }), ...rest }
})
const png = { inlineData: { mimeType: "image/png", data: goldenScreenshot } }
const pdf = { inlineData: { mimeType: "application/pdf", data: Buffer.from("%PDF-1.7\n").toString("base64") } }
const tool = (name: string, rest: Record<string, unknown> = {}) => ({ name, description: "Does it.", ...rest })
const schema = (rest: Record<string, unknown> = {}) => ({
  parametersJsonSchema: { type: "object", properties: { a: { type: "string" } }, ...rest }
})

const withContents = (...contents: ReadonlyArray<unknown>) => verdict({ contents })
const withBody = (change: Record<string, unknown>) => verdict({ contents: [user(text("hi"))], ...change })
const withTools = (...functionDeclarations: ReadonlyArray<unknown>) => withBody({ tools: [{ functionDeclarations }] })
const counted =
  "Please ensure that the number of function response parts is equal to the number of function call parts of the " +
  "function call turn."

describe("what is taken", () => {
  it("a whole conversation as a careful client sends it", async () => {
    const body = {
      systemInstruction: user(text("be good")),
      tools: [
        {
          functionDeclarations: [
            tool("look"),
            tool(
              "click",
              schema({
                properties: {
                  at: {
                    type: "object",
                    properties: { x: { type: "number" }, y: { type: "integer", minimum: 0 } },
                    required: ["x", "y"]
                  },
                  button: { type: "string", enum: ["left", "right"], description: "Which" },
                  keys: { type: "array", items: { type: "string" }, minItems: 1 }
                },
                required: ["at"]
              })
            )
          ]
        }
      ],
      toolConfig: { functionCallingConfig: { mode: "AUTO" } },
      generationConfig: { maxOutputTokens: 1000, thinkingConfig: { thinkingLevel: "LOW" } },
      contents: [
        user(text("look, then click"), png, pdf),
        model(text("both"), fc("look", "a"), fc("click", "b", {})),
        user(fr("look", "a", { parts: [png] }), fr("click", "b")),
        user(text("and now?"))
      ]
    }
    expect(await verdict(body)).toBe("ok")
    expect(emulator.rejected).toEqual([])
  })
})

describe("protobuf messages", () => {
  it("have no other fields", async () => {
    expect(await withBody({ stream: true })).toBe(
      'Invalid JSON payload received. Unknown name "stream": Cannot find field.'
    )
    expect(await withContents({ ...user(text("a")), name: "x" })).toBe(
      "Invalid JSON payload received. Unknown name \"name\" at 'contents[0]': Cannot find field."
    )
    expect(await withContents(user({ text: "a", type: "text" }))).toBe(
      "Invalid JSON payload received. Unknown name \"type\" at 'contents[0].parts[0]': Cannot find field."
    )
    expect(await withContents(user({ inlineData: { ...png.inlineData, name: "a.png" } }))).toBe(
      "Invalid JSON payload received. Unknown name \"name\" at 'contents[0].parts[0].inline_data': Cannot find field."
    )
  })

  it("have fields of the right type", async () => {
    expect(await withContents({ role: 1, parts: [text("a")] })).toBe(
      "Invalid value at 'contents[0].role' (TYPE_STRING), 1"
    )
    expect(await withContents({ role: "user", parts: text("a") })).toContain("Invalid value at 'contents[0].parts'")
    expect(await withContents(user(text("a")), model({ functionCall: { name: "a", args: [] }, ...skip }))).toContain(
      "Invalid value at 'contents[1].parts[0].function_call.args' (type.googleapis.com/google.protobuf.Struct)"
    )
    expect(await withContents(user({ inlineData: { mimeType: "image/png", data: "no base64!" } }))).toContain(
      "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 decoding failed"
    )
    expect(await withBody({ generationConfig: { maxOutputTokens: 1.5 } })).toContain("(TYPE_INT32), 1.5")
    expect(await withBody({ generationConfig: { thinkingConfig: { thinkingLevel: "MOST" } } })).toContain("(TYPE_ENUM)")
  })

  it("have one of the fields that exclude each other", async () => {
    expect(await withContents(user({ ...text("a"), ...png }))).toBe(
      "Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set. Cannot set 'inlineData'"
    )
    const none = "required oneof field 'data' must have one initialized field"
    expect(await withContents(user({}))).toContain(none)
    expect(await withContents(user(text("")))).toContain(none)
    const signed = { text: "", ...skip }
    expect(await withContents(user(text("a")), model(signed), user(text("b")))).toBe("ok")
  })
})

describe("contents", () => {
  it("are there, with parts, of a user or a model", async () => {
    expect(await withContents()).toBe("* GenerateContentRequest.contents: contents is not specified\n")
    expect(await withContents(user())).toContain("contents.parts must not be empty")
    expect(await withContents({ role: "assistant", parts: [text("a")] })).toBe("Please use a valid role: user, model.")
    expect(await withContents({ role: "system", parts: [text("a")] })).toBe("Please use a valid role: user, model.")
  })

  it("hold calls where the model speaks, and responses where the user does", async () => {
    expect(await withContents(user(fc("a")))).toBe("Content with role 'user' can't contain 'functionCall' part")
    expect(await withContents(user(text("a")), model(fr("a")))).toBe(
      "Content with role 'model' can't contain 'functionResponse' part"
    )
  })

  it("begin and end with the user", async () => {
    expect(await withContents(model(text("a")), user(text("b")))).toContain("start with a user turn")
    expect(await withContents(user(text("a")), model(text("b")))).toContain("end with a user turn")
  })
})

describe("calls and responses", () => {
  const asked = [user(text("go")), model(fc("look", "a"), fc("look", "b", {}))]

  it("come in pairs, in order", async () => {
    expect(await withContents(...asked, user(fr("look", "a"), fr("look", "b")))).toBe("ok")
    expect(await withContents(...asked, user(fr("look", "a")))).toBe(counted)
    expect(await withContents(...asked, user(text("no")))).toBe(counted)
    expect(await withContents(...asked, user(fr("look", "a"), fr("look", "b"), png))).toBe(counted)
    expect(await withContents(...asked, user(fr("look", "b"), fr("look", "a")))).toBe(
      "functionResponse.id does not match functionCall.id"
    )
    expect(await withContents(...asked, user(fr("look", "a"), fr("click", "b")))).toContain(
      "names of function response"
    )
  })

  it("follow each other", async () => {
    expect(await withContents(user(fr("look")))).toBe(
      "Please ensure that function response turn comes immediately after a function call turn."
    )
    expect(await withContents(user(text("a")), model(text("b")), model(fc("look")), user(fr("look")))).toBe(
      "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
    )
  })

  it("are complete", async () => {
    expect(await withContents(user(text("a")), model(fc("")), user(fr("")))).toContain("Name cannot be empty.")
    const bare = { functionResponse: { name: "look" } }
    expect(await withContents(user(text("a")), model(fc("look")), user(bare))).toContain("response is required")
  })

  it("hold media from Gemini 3 on", async () => {
    const contents = [user(text("go")), model(fc("look")), user(fr("look", undefined, { parts: [png, pdf] }))]
    expect(await verdict({ contents })).toBe("ok")
    expect(await verdict({ contents }, older)).toBe(
      "Unable to submit request because `function_response.parts` is not supported for this model."
    )
  })
})

describe("thought signatures", () => {
  const unsigned = fc("look", "b", {})
  const missing = /^Function call is missing a thought_signature .* `default_api:look` , position 1\./

  it("are on the first call of each step of the current turn, from Gemini 3 on", async () => {
    const contents = [user(text("go")), model(unsigned), user(fr("look", "b"))]
    expect(await verdict({ contents })).toMatch(missing)
    expect(await verdict({ contents }, older)).toBe("ok")
    const later = [...contents, user(text("and now?"))]
    expect(await verdict({ contents: later })).toBe("ok")
    const second = [user(text("go")), model(fc("look", "a"), unsigned), user(fr("look", "a"), fr("look", "b"))]
    expect(await verdict({ contents: second })).toBe("ok")
  })

  it("come back as they were given, in the same part, to the same model", async () => {
    emulator.enqueue({ content: [{ type: "tool_use", id: "a", name: "look", input: { far: true } }] })
    const { answer } = await call({ contents: [user(text("go"))] })
    const [thoughtSignature] = /"thoughtSignature":"([^"]+)"/.exec(JSON.stringify(answer))?.slice(1) ?? []
    const withCall = (args: unknown, signature = thoughtSignature) => ({
      contents: [
        user(text("go")),
        model({ functionCall: { id: "a", name: "look", args }, thoughtSignature: signature }),
        user(fr("look", "a"))
      ]
    })
    expect(await verdict(withCall({ far: true }))).toBe("ok")
    expect(await verdict(withCall({ far: false }))).toBe("Thought signature is not valid.")
    expect(await verdict(withCall({ far: true }), "gemini-4-argon")).toBe("Thought signature is not valid.")
    expect(await verdict(withCall({ far: true }, "c29tZXRoaW5n"))).toBe("Corrupted thought signature.")
  })
})

describe("media", () => {
  const inline = (mimeType: string, data: string) => withContents(user({ inlineData: { mimeType, data } }))

  it("are of a type that Gemini reads, and what they say they are", async () => {
    expect(await inline("image/gif", "R0lGODlh")).toBe("Unsupported MIME type: image/gif")
    expect(await inline("", goldenScreenshot)).toContain("must be set")
    expect(await inline("image/png", "")).toContain("is empty")
    expect(await inline("image/jpeg", goldenScreenshot)).toContain("Unable to process input image.")
    expect(await inline("application/pdf", "AAAA")).toBe("The document has no pages.")
    const heic = fr("look", undefined, { parts: [{ inlineData: { mimeType: "image/heic", data: "AAAA" } }] })
    expect(await withContents(user(text("a")), model(fc("look")), user(heic))).toBe("Unsupported MIME type: image/heic")
  })

  it("are not too many", async () => {
    expect(await withContents(user(...Array.from({ length: 3000 }, () => png)))).toBe("ok")
    expect(await withContents(user(...Array.from({ length: 3001 }, () => png)))).toContain("fewer than 3000 images")
  })

  it("fit into a request", async () => {
    expect(await withContents(user(text("x".repeat(20 * 1024 * 1024))))).toBe(
      "Request payload size exceeds the limit: 20971520 bytes."
    )
  })
})

describe("functions", () => {
  it("have a name of their own", async () => {
    expect(await withTools(tool("1st"))).toContain("Invalid function name.")
    expect(await withTools(tool("a"), tool("a"))).toBe("Duplicate function declaration found: a")
    expect(await withTools(...Array.from({ length: 513 }, (_, i) => tool(`f${i}`)))).toContain("At most 512")
  })

  it("describe their parameters in the part of JSON Schema that Gemini reads", async () => {
    expect(await withTools(tool("a", schema()))).toBe("ok")
    expect(await withTools(tool("a", schema({ type: "string" })))).toContain("schema should be of type OBJECT.")
    expect(await withTools(tool("a", schema({ properties: {} })))).toContain("should be non-empty for OBJECT type")
    expect(await withTools(tool("a", schema({ properties: { b: { type: "text" } } })))).toContain("schema is not valid")
    expect(await withTools(tool("a", schema({ properties: { b: { type: "string", minLength: 1 } } })))).toContain(
      'unsupported keyword "minLength"'
    )
    expect(await withTools(tool("a", { ...schema(), parameters: {} }))).toContain("mutually exclusive")
    expect(await withTools(tool("a", { inputSchema: {} }))).toContain('Unknown name "inputSchema"')
  })

  it("are called as the configuration says", async () => {
    const calling = (functionCallingConfig: unknown, ...names: ReadonlyArray<string>) =>
      withBody({
        tools: names.length === 0 ? [] : [{ functionDeclarations: names.map((name) => tool(name)) }],
        toolConfig: { functionCallingConfig }
      })
    expect(await calling({ mode: "NONE" }, "a")).toBe("ok")
    expect(await calling({ mode: "AUTO" })).toBe("Function calling config is set without function_declarations.")
    expect(await calling({ mode: "SOMETIMES" }, "a")).toContain("(TYPE_ENUM)")
    expect(await calling({ mode: "AUTO", allowedFunctionNames: ["a"] }, "a")).toContain("when the mode is ANY")
    expect(await calling({ mode: "ANY", allowedFunctionNames: ["b"] }, "a")).toContain(
      "not in function_declarations: b"
    )
  })
})

describe("generation", () => {
  it("has limits that hold", async () => {
    const generate = (generationConfig: unknown) => withBody({ generationConfig })
    expect(await generate({ maxOutputTokens: 65_537 })).toContain(
      "supported range is from 1 (inclusive) to 65537 (exclusive)"
    )
    expect(await generate({ thinkingConfig: { thinkingBudget: 1, thinkingLevel: "LOW" } })).toContain("only one of")
  })
})
