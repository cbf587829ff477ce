import { it as effectIt } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { io as connect } from "socket.io-client"
import { describe, expect, it } from "vitest"
import * as Desktop from "./desktop.ts"
import { durationOf } from "./desktopActions.ts"
import { recorded } from "./desktopRecorded.ts"
import { endsWithTest } from "./ending.ts"
import { goldenDesktop, goldenScreenshot } from "./golden.ts"
import { isRecord } from "./httpServer.ts"
import { rgbAt, sameRgb } from "./png.ts"
import { colors } from "./screen.ts"

const endWithTest = endsWithTest()

const open = async (options: Desktop.DesktopOptions = {}) => {
  const desktop = await Desktop.start(options)
  endWithTest(desktop.close)
  const call = async (action: Record<string, unknown>, headers: Record<string, string> = {}) => {
    const response = await fetch(`${desktop.url}/computer-use`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(action)
    })
    const text = await response.text()
    const json: unknown = text === "" ? undefined : JSON.parse(text)
    return { status: response.status, text, json }
  }
  const track = (what: "start" | "stop") => fetch(`${desktop.url}/input-tracking/${what}`, { method: "POST" })
  return { desktop, call, track }
}

/** A connected client and the events it received: name and last argument (the action). */
const listen = async (desktop: Desktop.DesktopEmulator, transport: "websocket" | "polling" = "websocket") => {
  const socket = connect(desktop.url, { transports: [transport], forceNew: true, reconnection: false })
  endWithTest(() => socket.disconnect())
  const events: Array<readonly [string, unknown, unknown]> = []
  const watchers = new Set<() => void>()
  socket.onAny((name: string, ...args: ReadonlyArray<unknown>) => {
    events.push([name, args.at(-1), args.length === 2 ? args[0] : undefined])
    for (const watcher of watchers) watcher()
  })
  const seen = (count: number) =>
    new Promise<void>((resolve) => {
      const look = () => events.length >= count && resolve()
      watchers.add(look)
      look()
    })
  await desktop.waitForSocket()
  return { socket, events, seen }
}

describe("POST /computer-use", () => {
  it("answers what the real daemon answered", async () => {
    const { desktop } = await open()
    for (const [name, line, body, status, answer] of recorded) {
      const [method = "", path = ""] = line.split(" ")
      const isPlain = name === "text/plain body"
      const response = await fetch(desktop.url + path, {
        method,
        ...(body === null
          ? {}
          : {
              headers: { "content-type": isPlain ? "text/plain" : "application/json" },
              body: typeof body === "string" ? body : JSON.stringify(body)
            })
      })
      const text = (await response.text()).replaceAll(/bytebot_(read|temp)_\d+_\w+/g, "bytebot_$1_#")
      expect({ name, status: response.status, text }).toEqual({ name, status, text: answer })
      const type = response.headers.get("content-type")
      expect({ name, type }).toEqual({ name, type: answer === "" ? null : "application/json; charset=utf-8" })
    }
  })

  it("draws a screen that changes with clicks and typing, and stays the same otherwise", async () => {
    const { desktop, call } = await open({ alpha: 0 })
    const first = await call({ action: "screenshot" })
    expect(await call({ action: "screenshot" })).toEqual(first)
    const before = desktop.picture()
    expect([before.width, before.height]).toEqual([1280, 960])
    expect(before.rgba[3]).toBe(0)

    await call({ action: "click_mouse", coordinates: { x: 300, y: 200 }, button: "right", clickCount: 1 })
    const clicked = desktop.picture()
    expect(rgbAt(clicked, 298, 202)).toEqual([0xe6, 0x7e, 0x22])
    expect(rgbAt(clicked, 300, 204)).toEqual([colors.cursor >> 16, (colors.cursor >> 8) & 255, colors.cursor & 255])
    expect(sameRgb(before, clicked)).toBe(false)

    await call({ action: "type_text", text: "Hello" })
    expect(sameRgb(clicked, desktop.picture())).toBe(false)
    await call({ action: "paste_text", text: " ✓" })
    await call({ action: "type_keys", keys: ["BackSpace"] })
    expect(desktop.typed()).toBe("Hello ")
    await call({ action: "application", application: "firefox" })
    expect(rgbAt(desktop.picture(), 640, 800)).toEqual([0xf4, 0xf1, 0xe8])
  })

  it("shows a form in the browser that is filled in and sent", async () => {
    const { desktop, call } = await open()
    await call({ action: "application", application: "firefox" })
    const click = (x: number, y: number) =>
      call({ action: "click_mouse", coordinates: { x, y }, button: "left", clickCount: 1 })
    const notice = () => rgbAt(desktop.picture(), 161, 677)
    await click(280, 620)
    const refused = notice()
    for (const [y, text] of [
      [278, "Ada"],
      [398, "2026-12-24"],
      [518, "4"]
    ] as const) {
      await click(300, y)
      await call({ action: "type_text", text })
    }
    await click(280, 620)
    expect(refused).toEqual([0xb3, 0x26, 0x1e])
    expect(notice()).toEqual([0x1b, 0x7f, 0x4b])
    expect(desktop.picture().rgba[3]).toBe(255)
  })

  it("types up to the character that can't be typed", async () => {
    const { desktop, call } = await open()
    expect((await call({ action: "type_text", text: "abé" })).status).toBe(500)
    expect(desktop.typed()).toBe("ab")
    expect(desktop.executed).toEqual([])
  })

  it("keeps files and tells of paths a shell would interpret", async () => {
    const { desktop, call } = await open()
    await call({ action: "write_file", path: "/home/user/Desktop/a.txt", data: "aGVsbG8=" })
    expect(desktop.files.contents.get("/home/user/Desktop/a.txt")?.toString()).toBe("hello")
    const hazard = await call({ action: "write_file", path: 'x"; rm -rf ~; "', data: "" })
    expect(hazard.json).toMatchObject({ success: false })
    await call({ action: "write_file", path: "/home/user/Desktop", data: "aGk=" })
    expect(desktop.files.hazards).toEqual(['x"; rm -rf ~; "'])
    expect(desktop.files.brokenDirectories).toEqual(["/home/user/Desktop"])
  })

  it("always shows the picture, pointer and file of the recordings when told to", async () => {
    const { call } = await open(goldenDesktop)
    await call({ action: "move_mouse", coordinates: { x: 1, y: 2 } })
    expect((await call({ action: "screenshot" })).json).toEqual({ image: goldenScreenshot })
    expect((await call({ action: "cursor_position" })).text).toBe('{"x":12,"y":34}')
    expect((await call({ action: "read_file", path: "/any" })).json).toMatchObject({ name: "notes.txt", size: 10 })
  })
})

describe("ledger and faults", () => {
  it("records requests in order with their headers", async () => {
    const { desktop, call, track } = await open()
    await call({ action: "screenshot" }, { "idempotency-key": "tu1" })
    await track("start")
    expect(desktop.requests.map(({ req, body }) => ({ req, body }))).toEqual([
      { req: "POST /computer-use", body: { action: "screenshot" } },
      { req: "POST /input-tracking/start", body: null }
    ])
    expect(desktop.requests[0]).toMatchObject({ idempotencyKey: "tu1", executed: true, status: 201, aborted: false })
    expect(desktop.actions()).toEqual(["screenshot"])
  })

  it("answers with a status, for the n-th matching request", async () => {
    const { desktop, call } = await open()
    desktop.fault({ match: "screenshot", nth: 2, times: 2, status: 500 })
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await call({ action: "screenshot" })).status)
    statuses.push((await call({ action: "cursor_position" })).status)
    expect(statuses).toEqual([201, 500, 500, 201, 201])
  })

  it("drops a request before or after the action", async () => {
    const { desktop, call } = await open()
    desktop.fault({ match: "type_text", drop: true })
    await expect(call({ action: "type_text", text: "a" })).rejects.toThrow()
    expect(desktop.typed()).toBe("")
    desktop.fault({ match: "type_text", drop: true, executed: true })
    await expect(call({ action: "type_text", text: "b" })).rejects.toThrow()
    expect(desktop.typed()).toBe("b")
    expect(desktop.requests.map(({ executed }) => executed)).toEqual([false, true])
    await desktop.waitFor((requests) => requests.every(({ aborted }) => aborted))
  })

  it("hangs until the client gives up", async () => {
    const { desktop } = await open()
    desktop.fault({ hang: true })
    const controller = new AbortController()
    const pending = fetch(`${desktop.url}/input-tracking/start`, { method: "POST", signal: controller.signal })
    await desktop.waitForRequest("POST /input-tracking/start")
    controller.abort()
    await expect(pending).rejects.toThrow()
    await desktop.waitFor(([request]) => request?.aborted)
    expect(desktop.tracking()).toBe(false)
  })

  it("holds an action back until it is let go", async () => {
    const { desktop, call } = await open()
    const release = desktop.hold("click_mouse")
    const pending = call({ action: "click_mouse", button: "left", clickCount: 1 })
    const request = await desktop.waitForRequest("click_mouse")
    expect(request.executed).toBe(false)
    release()
    expect((await pending).status).toBe(201)
    expect(desktop.executed.length).toBe(1)
  })

  it("carries out a repeated key once where it deduplicates", async () => {
    for (const [deduplicate, typed] of [
      [true, "x"],
      [false, "xx"]
    ] as const) {
      const { desktop, call } = await open({ deduplicate })
      for (let i = 0; i < 2; i++) {
        expect((await call({ action: "type_text", text: "x" }, { "idempotency-key": "k" })).status).toBe(201)
      }
      expect(desktop.typed()).toBe(typed)
    }
  })

  it("takes the daemon's time when asked to", async () => {
    const { desktop } = await open({ instant: false })
    const controller = new AbortController()
    const pending = fetch(`${desktop.url}/computer-use`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ action: "wait", duration: 600_000 }),
      signal: controller.signal
    })
    const request = await desktop.waitForRequest("wait")
    controller.abort()
    await expect(pending).rejects.toThrow()
    expect(request).toMatchObject({ executed: false, status: null })
    expect(durationOf({ action: "wait", duration: 600_000 })).toBe(600_000)
    expect(durationOf({ action: "click_mouse", clickCount: 2 })).toBe(510)
    expect(durationOf({ action: "type_text", text: "abcde" })).toBe(1000)
  })
})

describe("input tracking", () => {
  it("reports a person's input while tracking is on, as picture and action or as action", async () => {
    const { desktop, track } = await open()
    const { events, seen } = await listen(desktop)
    const click = { action: "click_mouse", button: "left", coordinates: { x: 1, y: 2 }, clickCount: 1, holdKeys: [] }
    expect(desktop.emitUserAction(click)).toBe(false)
    expect(await (await track("start")).text()).toBe('{"status":"started"}')
    expect(desktop.emitUserAction(click)).toBe(true)
    desktop.emitUserAction(click, { plain: true })
    desktop.emitUserAction({ action: "type_keys", keys: ["Enter"] })
    await seen(3)
    expect(events.map(([name, action]) => [name, action])).toEqual([
      ["screenshotAndAction", click],
      ["action", click],
      ["action", { action: "type_keys", keys: ["Enter"] }]
    ])
    const image = events[0]?.[2]
    expect(isRecord(image) ? String(image.image).slice(0, 8) : "").toBe("iVBORw0K")
    expect(await (await track("stop")).text()).toBe('{"status":"stopped"}')
    expect(desktop.tracking()).toBe(false)
    expect(desktop.emitUserAction(click)).toBe(false)
  })

  it("reports the daemon's own actions too, a first click without picture", async () => {
    const { desktop, call, track } = await open()
    const { events, seen } = await listen(desktop)
    await call({ action: "type_text", text: "before" })
    await track("start")
    const click = { action: "click_mouse", coordinates: { x: 5, y: 6 }, button: "left", clickCount: 2 }
    await call(click)
    await call(click)
    await call({ action: "type_text", text: "aB!" })
    await call({ action: "type_keys", keys: ["ctrl", "c"] })
    await call({ action: "scroll", direction: "up", scrollCount: 3 })
    await call({ action: "scroll", direction: "up", scrollCount: 1 })
    await seen(9)
    const reported = { ...click, holdKeys: [] }
    expect(events.map(([name, action]) => [name, action])).toEqual([
      ["action", reported],
      ["screenshotAndAction", reported],
      ["action", { action: "type_text", text: "a" }],
      ["action", { action: "type_text", text: "B" }],
      ["action", { action: "type_keys", keys: ["LeftShift"] }],
      ["action", { action: "type_text", text: "!" }],
      ["action", { action: "type_keys", keys: ["LeftShift"] }],
      ["action", { action: "type_keys", keys: ["LeftControl", "C"] }],
      ["action", { action: "scroll", direction: "up", scrollCount: 1, coordinates: { x: 5, y: 6 } }]
    ])
  })

  it.each(["websocket", "polling"] as const)("records connections over %s and their end", async (transport) => {
    const { desktop } = await open()
    const { socket } = await listen(desktop, transport)
    expect(desktop.sockets).toMatchObject([{ transport, closedAt: null }])
    socket.disconnect()
    await desktop.waitFor(() => desktop.sockets[0]?.closedAt !== null)
  })
})

describe("as a resource and as a process", () => {
  effectIt.effect("is closed with its scope", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(
        Effect.gen(function* () {
          const desktop = yield* Desktop.scoped()
          const response = yield* Effect.promise(() => fetch(desktop.url))
          expect(response.status).toBe(404)
          return desktop.url
        })
      )
      const closed = yield* Effect.exit(Effect.tryPromise(() => fetch(url)))
      expect(closed._tag).toBe("Failure")
    })
  )

  it("is scripted and read over HTTP", async () => {
    const { desktop, call, track } = await open()
    const script = (body: unknown) =>
      fetch(`${desktop.url}/__script`, { method: "POST", body: JSON.stringify(body) }).then((answer) => answer.json())
    await script({ faults: [{ match: "screenshot", status: 503 }], file: { path: "in.txt", data: "aGk=" } })
    expect((await call({ action: "screenshot" })).status).toBe(503)
    expect((await call({ action: "read_file", path: "in.txt" })).json).toMatchObject({ success: true, data: "aGk=" })
    await track("start")
    expect(await script({ userAction: { action: "type_text", text: "hi" } })).toEqual({ tracking: true, sent: true })
    const ledger: unknown = await fetch(`${desktop.url}/__ledger`).then((answer) => answer.json())
    expect(ledger).toMatchObject({ requests: [{ status: 503 }, {}, {}], tracking: true, sockets: [] })
    await fetch(`${desktop.url}/__ledger`, { method: "DELETE" })
    expect(desktop.requests).toEqual([])
  })
})
