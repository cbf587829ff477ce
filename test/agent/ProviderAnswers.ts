/** An answer of each provider that has all that is read of one. */
export const answers = {
  anthropic: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude",
    content: [
      { type: "thinking", thinking: "hm", signature: "c2ln" },
      { type: "redacted_thinking", data: "cmVk" },
      { type: "text", text: "I look" },
      { type: "tool_use", id: "toolu_1", name: "computer_screenshot", input: {} },
      { type: "tool_use", id: "toolu_2", name: "computer_wait", input: { duration: 1 } }
    ],
    stop_reason: "tool_use",
    usage: { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 3, cache_creation_input_tokens: 2 }
  },
  openai: {
    id: "resp_1",
    object: "response",
    status: "completed",
    error: null,
    incomplete_details: null,
    output: [
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "I look" }] },
      { type: "function_call", status: "completed", call_id: "call_1", name: "computer_screenshot", arguments: "{}" },
      {
        type: "function_call",
        status: "completed",
        call_id: "call_2",
        name: "computer_wait",
        arguments: '{"duration":1}'
      }
    ],
    usage: { input_tokens: 10, output_tokens: 5, input_tokens_details: { cached_tokens: 3, cache_write_tokens: 2 } }
  },
  google: {
    candidates: [
      {
        content: {
          role: "model",
          parts: [
            { text: "hm", thought: true },
            { text: "I look" },
            { functionCall: { id: "a", name: "computer_screenshot", args: {} } },
            { functionCall: { id: "b", name: "computer_wait", args: { duration: 1 } } }
          ]
        },
        finishReason: "STOP",
        finishMessage: "fine"
      }
    ],
    usageMetadata: {
      promptTokenCount: 10,
      cachedContentTokenCount: 3,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 1
    }
  },
  proxy: {
    id: "chatcmpl-1",
    choices: [
      {
        index: 0,
        finish_reason: "tool_calls",
        message: {
          role: "assistant",
          content: "I look",
          refusal: null,
          reasoning_content: "hm",
          tool_calls: [
            { id: "call_1", type: "function", function: { name: "computer_screenshot", arguments: "{}" } },
            { id: "call_2", type: "function", function: { name: "computer_wait", arguments: '{"duration":1}' } }
          ]
        }
      }
    ],
    usage: { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 3 } }
  }
} as const
