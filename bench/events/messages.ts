import { createHash } from "node:crypto"

/** The messages of the benchmark of events: in each round so many small ones and then so many with a screenshot. */
export const perRound = { small: 200, large: 20 }

/** The message's number is the end of its id, so that a subscriber sees it in the first bytes. */
export const idOf = (taskId: string, message: number): string => `${taskId}:${message}`

const smallText = "a few words, as models say them. ".repeat(55)

/** A screenshot's base64 text of 1 MB: PNG data looks like noise. */
const screenshot = (): string => {
  const blocks: Array<Buffer> = [createHash("sha256").update("screenshot").digest()]
  while (blocks.length < 750_000 / 32)
    blocks.push(
      createHash("sha256")
        .update(blocks.at(-1) ?? "")
        .digest()
    )
  return Buffer.concat(blocks).toString("base64")
}
const shot = screenshot()

/** A message of 2 kB, or one of 1 MB as a tool's result with a screenshot is stored. */
export const contentOf = (message: number) => {
  const number = String(message).padStart(8, "0")
  return message % (perRound.small + perRound.large) < perRound.small
    ? [{ type: "text", text: `${number} ${smallText}` }]
    : [
        {
          type: "tool_result",
          content: [{ type: "image", source: { data: `${number}${shot}`, type: "base64", media_type: "image/png" } }],
          tool_use_id: `toolu_${number}`
        }
      ]
}
