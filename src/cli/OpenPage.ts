import { spawn } from "node:child_process"
import { Effect } from "effect"

const openers: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: "open", linux: "xdg-open" }

/** Opens an address in the browser of a person at a desktop. Does nothing elsewhere, or where there is no browser: the address is printed, too. */
export const openPage = (url: string) =>
  Effect.sync(() => {
    const opener = openers[process.platform]
    const hasDesktop = process.platform === "darwin" || "DISPLAY" in process.env || "WAYLAND_DISPLAY" in process.env
    if (opener === undefined || !hasDesktop || !process.stdout.isTTY) return
    spawn(opener, [url], { stdio: "ignore", detached: true })
      .on("error", () => undefined)
      .unref()
  })
