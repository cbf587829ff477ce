import type { DesktopOptions } from "./desktop.ts"
import { isRecord } from "./httpServer.ts"
import type { MessageReply, ReplyBlock } from "./modelReplies.ts"

/** What turns a recorded agent run (golden/agent-*.json) into a script for the emulators. */

const isBlock = (value: unknown): value is ReplyBlock =>
  isRecord(value) &&
  ((value.type === "text" && typeof value.text === "string") ||
    (value.type === "tool_use" && typeof value.name === "string") ||
    (value.type === "thinking" && typeof value.thinking === "string") ||
    (value.type === "redacted_thinking" && typeof value.data === "string"))

/** The model's replies of a parsed golden file, in order; stop_reason is tool_use where a tool is asked for. */
export const goldenReplies = (golden: unknown): ReadonlyArray<MessageReply> => {
  const messages = isRecord(golden) ? golden.assistantMessages : undefined
  if (!Array.isArray(messages)) throw new Error("not a recorded agent run: no assistantMessages")
  return messages.map((content: unknown) => {
    if (!Array.isArray(content) || !content.every(isBlock)) throw new Error("a recorded message has an unknown block")
    const stop_reason = content.some(({ type }) => type === "tool_use") ? "tool_use" : "end_turn"
    return { content, stop_reason }
  })
}

/** The 4x4 picture in the recordings. */
export const goldenScreenshot =
  "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEUlEQVR4AWNoQAIMSOwG3BwAcFIYAZR/iKkAAAAASUVORK5CYII="

/** The desktop of the recordings: always the same picture, pointer and file, and silent about its own actions. */
export const goldenDesktop: DesktopOptions = {
  screenshot: goldenScreenshot,
  cursor: { x: 12, y: 34 },
  readFile: () => ({
    success: true,
    data: "aGVsbG8gZmlsZQ==",
    name: "notes.txt",
    size: 10,
    mediaType: "text/plain"
  }),
  reportOwnActions: false
}
