import { mkdirSync } from "node:fs"
import { assert, beforeAll, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { AccountsStage, createTask as createOwned, password, uniqueEmail } from "../accounts/AccountsStage.ts"
import type { Scripted } from "../emulators/modelReplies.ts"
import { violationsOf } from "../support/Axe.ts"
import { Browser } from "../support/Browser.ts"
import { requireProgram } from "../support/RealProgram.ts"
import { request } from "../support/RestClient.ts"
import { freePort, spawnService, untilReady } from "../support/ServiceProcess.ts"
import { command, createTask, reset, Stage, untilStatus } from "../support/Stage.ts"
import { migrated } from "../support/TestDatabase.ts"
import { until } from "../support/Waiting.ts"

/** The console in a real Chromium, with the real service between an emulated model and an emulated desktop. */

const pictures = "test-results/console"

beforeAll(() => {
  requireProgram("chromium", ["--version"], "chromium")
  mkdirSync(pictures, { recursive: true })
})

const call = (text: string, name: string, input: unknown): Scripted => ({
  content: [
    { type: "text", text },
    { type: "tool_use", name, input }
  ]
})
const completed = call("Done.", "set_task_status", { status: "completed", description: "The form is sent" })
const click = { coordinates: { x: 640, y: 480 }, button: "left", clickCount: 2 }
const work = [
  call("I look first.", "computer_screenshot", {}),
  call("I open the editor.", "computer_application", { application: "vscode" }),
  call("I open the document.", "computer_click_mouse", click),
  call("I type the greeting.", "computer_type_text", { text: "Hello there" }),
  call("I read a file.", "computer_read_file", { path: "/home/user/missing.txt" })
]
const question = call("I need to know.", "set_task_status", { status: "needs_help", description: "Which account?" })

const step = <A>(perform: () => Promise<A>) => Effect.promise(perform)
const desktopWorld = Layer.merge(Stage.layer(), Browser.layer)

layer(desktopWorld, { timeout: "60 seconds", excludeTestServices: true })("the console", (test) => {
  test.effect("a task is created with a dropped file, and watched until it is completed", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      model.enqueue(...work, completed)
      const { faults, page } = yield* (yield* Browser).open(url)
      yield* step(() => page.waitForURL("**/console/"))
      yield* step(() => page.getByText("No tasks yet").waitFor())
      const files = yield* step(() =>
        page.evaluateHandle(
          "const files = new DataTransfer(); files.items.add(new File(['Hello there'], 'greeting.txt', { type: 'text/plain' })); files"
        )
      )
      yield* step(() => page.dispatchEvent(".composer", "drop", { dataTransfer: files }))
      yield* step(() => page.getByRole("button", { name: "Remove greeting.txt" }).waitFor())
      yield* step(() => page.getByLabel("What should the agent do?").fill("Write the greeting into the editor"))
      yield* step(() => page.keyboard.press("Control+Enter"))
      yield* step(() => page.waitForURL("**/console/tasks/*"))
      yield* step(() => page.getByRole("status").filter({ hasText: "The form is sent" }).waitFor())

      const timeline = page.getByRole("region", { name: "Timeline" })
      yield* step(() => timeline.getByText("I type the greeting.").waitFor())
      yield* step(() => timeline.getByText("Type “Hello there”").waitFor())
      yield* step(() => timeline.getByLabel("failed").waitFor())
      yield* step(() => page.getByRole("tab", { name: "Files" }).click())
      const [download] = yield* step(() =>
        Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "greeting.txt" }).click()])
      )
      assert.strictEqual(download.suggestedFilename(), "greeting.txt")
      yield* step(() => page.getByRole("tab", { name: "Usage" }).click())
      yield* step(() => page.getByText("anthropic/claude-opus-5-5").waitFor())
      yield* step(() => page.getByRole("tab", { name: "Events" }).click())
      yield* step(() => page.getByText("task_updated COMPLETED").waitFor())
      assert.deepStrictEqual(faults, [])
    })
  )

  test.effect("the screen of each step is shown with what was done on it, by keys, slider and film", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      model.enqueue(...work, completed)
      const id = yield* createTask("Show your work")
      yield* untilStatus(id, "COMPLETED")
      const { faults, page } = yield* (yield* Browser).open(`${url}/console/tasks/${id}`)
      yield* step(() => page.getByText("7 of 7").waitFor())
      yield* step(() => page.keyboard.press("Home"))
      yield* step(() => page.getByText("1 of 7").waitFor())
      for (const _ of [1, 2, 3]) yield* step(() => page.keyboard.press("ArrowRight"))
      yield* step(() => page.getByText("4 of 7").waitFor())
      const ring = page.locator(".stage circle").first()
      assert.strictEqual(yield* step(() => ring.getAttribute("cx")), "640")
      yield* step(() => page.locator(".stage").getByText("×2").waitFor())
      yield* step(() => page.getByRole("button", { name: "After" }).click())
      yield* step(() => page.locator(".stage circle").waitFor({ state: "detached" }))
      yield* step(() => page.getByRole("slider", { name: "Step" }).fill("5"))
      yield* step(() => page.getByRole("button", { name: "Before" }).click())
      yield* step(() => page.locator(".stage").getByText("Hello there").waitFor())
      // A picture that browsers don't show has no opaque pixel.
      const alpha = yield* step(() =>
        page.evaluate(`(async () => {
          const image = document.querySelector(".stage img")
          await image.decode()
          const context = new OffscreenCanvas(1, 1).getContext("2d")
          context.drawImage(image, 0, 0)
          return context.getImageData(0, 0, 1, 1).data[3]
        })()`)
      )
      assert.strictEqual(alpha, 255)
      yield* step(() => page.getByRole("button", { name: "Step 1", exact: true }).click())
      yield* step(() => page.getByRole("combobox", { name: "Speed" }).selectOption("8"))
      yield* step(() => page.getByRole("button", { name: "Play" }).click())
      yield* step(() => page.getByText("7 of 7").waitFor())
      yield* step(() => page.getByRole("button", { name: "Play" }).waitFor())
      assert.deepStrictEqual(faults, [])
    })
  )

  test.effect("a question stands above all tasks, and its answer goes on with the task", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      model.enqueue(question, completed)
      const id = yield* createTask("Sign in")
      yield* untilStatus(id, "NEEDS_HELP")
      const { faults, page } = yield* (yield* Browser).open(`${url}/console/`)
      yield* step(() => page.getByRole("heading", { name: "Waiting for you" }).waitFor())
      yield* step(() => page.getByRole("link", { name: /Sign in/ }).click())
      yield* step(() => page.getByRole("status").filter({ hasText: "Which account?" }).waitFor())
      yield* step(() => page.getByLabel("A note for the agent").fill("The work account"))
      yield* step(() => page.getByRole("button", { name: "Hand back" }).click())
      yield* untilStatus(id, "COMPLETED")
      yield* step(() => page.getByRole("region", { name: "Timeline" }).getByText("The work account").waitFor())
      yield* step(() => page.getByRole("status").filter({ hasText: "Completed" }).waitFor())
      assert.deepStrictEqual(faults, [])
    })
  )

  test.effect("a person takes over, is seen in the timeline by two browsers, hands back, and cancels", () =>
    Effect.gen(function* () {
      yield* reset
      const { desktop, model, url } = yield* Stage
      const release = desktop.hold("click_mouse")
      const endWait = desktop.hold("wait")
      model.enqueue(
        call("I click.", "computer_click_mouse", click),
        call("I wait.", "computer_wait", { duration: 600_000 })
      )
      const id = yield* createTask("Let me help")
      const browser = yield* Browser
      const { faults, page } = yield* browser.open(`${url}/console/tasks/${id}`)
      const other = yield* browser.open(`${url}/console/tasks/${id}`)
      yield* step(() => page.getByText("Double-click at 640, 480").waitFor())
      yield* step(() => page.getByRole("button", { name: "Take over" }).click())
      release()
      yield* step(() => page.getByRole("status").filter({ hasText: "You control the desktop" }).waitFor())
      yield* step(() => other.page.getByRole("status").filter({ hasText: "You control the desktop" }).waitFor())
      yield* until(
        "the desktop reports the person's input",
        Effect.sync(() => desktop.tracking() || undefined)
      )
      desktop.emitUserAction({ action: "type_text", text: "typed by hand" })
      yield* step(() => page.getByText("Type “typed by hand”").waitFor())
      yield* step(() => other.page.getByText("Type “typed by hand”").waitFor())
      yield* step(() => page.getByRole("button", { name: "Hand back" }).click())
      yield* step(() => page.getByRole("button", { name: "Take over" }).waitFor())
      yield* step(() => page.getByRole("button", { name: "Cancel" }).click())
      yield* step(() => page.getByRole("button", { name: "Really cancel?" }).click())
      yield* step(() => other.page.getByRole("status").filter({ hasText: "Cancelled" }).waitFor())
      endWait()
      assert.deepStrictEqual([...faults, ...other.faults], [])
    })
  )

  test.effect("filters and words stand in the address, and what happens shows at once", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      model.enqueue(completed)
      yield* untilStatus(yield* createTask("Water the plants"), "COMPLETED")
      model.enqueue(call("No.", "set_task_status", { status: "failed", description: "No can" }))
      yield* untilStatus(yield* createTask("Water the fish"), "FAILED")
      const { faults, page } = yield* (yield* Browser).open(`${url}/console/?q=water&status=["FAILED","CANCELLED"]`)
      yield* step(() => page.getByText("Water the fish").waitFor())
      assert.strictEqual(yield* step(() => page.getByText("Water the plants").count()), 0)
      yield* step(() => page.getByText("1 task", { exact: true }).waitFor())
      yield* step(() => page.getByRole("link", { name: "All" }).click())
      yield* step(() => page.getByText("Water the plants").waitFor())
      yield* step(() => page.getByRole("searchbox").fill("plants"))
      yield* step(() => page.waitForURL("**/console/?q=plants"))
      yield* step(() => page.getByText("Water the fish").waitFor({ state: "detached" }))
      yield* step(() => page.getByRole("searchbox").fill(""))
      const later = yield* createTask("Feed the cat", { scheduledFor: "2099-01-01T00:00:00Z", type: "SCHEDULED" })
      yield* step(() => page.getByText("Scheduled for 2099").waitFor())
      yield* command(later, "cancel")
      yield* step(() =>
        page
          .getByRole("link", { name: /Feed the cat/ })
          .getByText("Cancelled")
          .first()
          .waitFor()
      )
      assert.deepStrictEqual(faults, [])
    })
  )

  test.effect("every screen is accessible, in light and dark, on a wide and a narrow window", () =>
    Effect.gen(function* () {
      yield* reset
      const { model, url } = yield* Stage
      model.enqueue(...work, question)
      const id = yield* createTask("Fill in the form and send it")
      yield* untilStatus(id, "NEEDS_HELP")
      yield* untilStatus(yield* createTask("Wait for the desktop"), "PENDING")
      const browser = yield* Browser
      for (const colorScheme of ["light", "dark"] as const) {
        for (const width of [1440, 390]) {
          const viewport = { width, height: width === 390 ? 844 : 900 }
          const { faults, page } = yield* browser.open(`${url}/console/`, { colorScheme, viewport })
          for (const [name, path, words] of [
            ["tasks", "", "Fill in the form"],
            ["task", `tasks/${id}`, "Which account?"],
            ["desktops", "desktops", "A person controls it"],
            ["settings", "settings", "Migrations"],
            ["missing", "nothing/here", "There is no such page"]
          ] as const) {
            yield* step(() => page.goto(`${url}/console/${path}`))
            yield* step(() => page.getByText(words).first().waitFor())
            yield* step(() => page.waitForLoadState("networkidle"))
            yield* step(() => page.screenshot({ path: `${pictures}/${name}-${width}-${colorScheme}.png` }))
            assert.deepStrictEqual(yield* violationsOf(page), [], `${name}, ${width}, ${colorScheme}`)
            const overflow = yield* step(() => page.evaluate("document.body.scrollWidth - window.innerWidth"))
            assert.isAtMost(Number(overflow), 0, `${name} is wider than ${width} pixels`)
          }
          assert.deepStrictEqual(faults, [])
        }
      }
    })
  )
})

layer(Layer.merge(AccountsStage.layer(), Browser.layer), { timeout: "60 seconds", excludeTestServices: true })(
  "the console with accounts",
  (test) => {
    test.effect("asks for the login, shows a person's own tasks, and signs out", () =>
      Effect.gen(function* () {
        const { register, url } = yield* AccountsStage
        const email = uniqueEmail()
        const owner = yield* register(email)
        const stranger = yield* register(uniqueEmail())
        yield* createOwned(owner.bearer, "A task of the owner")
        const id = yield* createOwned(stranger.bearer, "A task of a stranger")
        const { faults, page } = yield* (yield* Browser).open(url)
        yield* step(() => page.getByLabel("Email").fill(email))
        yield* step(() => page.getByLabel("Password").fill("not the password"))
        yield* step(() => page.getByRole("button", { name: "Sign in" }).click())
        yield* step(() => page.getByRole("alert").waitFor())
        yield* step(() => page.getByLabel("Password").fill(password))
        yield* step(() => page.getByRole("button", { name: "Sign in" }).click())
        yield* step(() => page.getByText("A task of the owner").waitFor())
        assert.strictEqual(yield* step(() => page.getByText("A task of a stranger").count()), 0)
        yield* createOwned(owner.bearer, "Another one, made meanwhile")
        yield* step(() => page.getByText("Another one, made meanwhile").waitFor())
        yield* step(() => page.getByLabel("What should the agent do?").fill("Made in the page"))
        yield* step(() => page.getByRole("button", { name: "Create task" }).click())
        yield* step(() => page.getByRole("heading", { name: "Made in the page" }).waitFor())
        yield* step(() => page.goto(`${url}/console/tasks/${id}`))
        yield* step(() => page.getByRole("heading", { name: /not found/i }).waitFor())
        yield* step(() => page.getByRole("button", { name: "Sign out" }).click())
        yield* step(() => page.getByRole("heading", { name: "Sign in" }).waitFor())
        assert.deepStrictEqual(yield* violationsOf(page), [])
        assert.deepStrictEqual(faults, [])
      })
    )
  }
)

layer(Browser.layer, { timeout: "60 seconds", excludeTestServices: true })(
  "the console without its service",
  (test) => {
    test.effect("says so, and goes on by itself when the service was killed and is back", () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const variables = { DATABASE_URL: yield* migrated, BYTEBOT_SETTLE_DELAY: "1" }
        const service = yield* spawnService(port, variables)
        yield* untilReady(service)
        const { faults, page } = yield* (yield* Browser).open(`${service.url}/console/`)
        yield* step(() => page.getByText("No tasks yet").waitFor())
        service.signal("SIGKILL")
        yield* step(() => page.getByText("The service does not answer").waitFor())
        const again = yield* spawnService(port, variables)
        yield* untilReady(again)
        yield* step(() => page.getByText("The service does not answer").waitFor({ state: "detached" }))
        yield* request(again.url, "POST", "/tasks", {
          description: "Made after the restart",
          model: { provider: "anthropic", name: "m" },
          scheduledFor: "2099-01-01T00:00:00Z"
        })
        yield* step(() => page.getByText("Made after the restart").waitFor())
        assert.deepStrictEqual(faults, [])
      })
    )
  }
)
