import type { Scripted } from "../../test/emulators/modelReplies.ts"

/** A task of the demo, and what the emulated model replies to it. */
export interface DemoTask {
  readonly description: string
  readonly replies: ReadonlyArray<Scripted>
}

/** Milliseconds that the emulated model takes, so that a person can follow. */
const thinkingTime = 900

const call = (text: string, name: string, input: unknown): Scripted => ({
  delayMs: thinkingTime,
  content: [
    { type: "text", text },
    { type: "tool_use", name, input }
  ]
})
const click = (text: string, x: number, y: number) =>
  call(text, "computer_click_mouse", { coordinates: { x, y }, button: "left", clickCount: 1 })
const type = (text: string, typed: string) => call(text, "computer_type_text", { text: typed })
const open = (text: string) => call(text, "computer_application", { application: "firefox" })
const status = (text: string, status: "completed" | "needs_help", description: string) =>
  call(text, "set_task_status", { status, description })

/** Where things are on the emulated page (test/emulators/formPage.ts). */
const form = { name: [300, 278], date: [300, 398], guests: [300, 518], book: [280, 620] } as const

/** The last one waits for a person. */
export const demoTasks: ReadonlyArray<DemoTask> = [
  {
    description: "Book a table for four on Christmas Eve, in the name of Ada",
    replies: [
      call("I look at the screen first.", "computer_screenshot", {}),
      open("I open the browser: the form is there."),
      click("The name comes first.", ...form.name),
      type("I type it.", "Ada Lovelace"),
      click("Now the date.", ...form.date),
      type("Christmas Eve of this year.", "2026-12-24"),
      click("And the number of guests.", ...form.guests),
      type("Four.", "4"),
      click("Everything is filled in. I send the form.", ...form.book),
      status(
        "The page confirms the booking.",
        "completed",
        "A table for four is booked for 24 December, in the name of Ada Lovelace."
      )
    ]
  },
  {
    description: "Book a table for two tomorrow, in the name of Grace",
    replies: [
      open("I open the browser."),
      click("The name comes first.", ...form.name),
      type("I type it.", "Grace Hopper"),
      click("I send the form.", ...form.book),
      call("The page refuses: fields are missing. I look for a note with the details.", "computer_read_file", {
        path: "/home/user/Desktop/note.txt"
      }),
      click("There is no note, but the task says it all. First the date.", ...form.date),
      type("Tomorrow.", "2026-11-30"),
      click("Then the guests.", ...form.guests),
      type("Two.", "2"),
      click("Now it is complete.", ...form.book),
      status(
        "This time the page confirms it.",
        "completed",
        "The first try was refused for missing fields; the second one booked the table."
      )
    ]
  },
  {
    description: "Book a table for my team",
    replies: [
      open("I open the browser."),
      call("I need more than the task says.", "set_task_status", {
        status: "needs_help",
        description: "For how many people, and on which day? Answer here, or fill the form in yourself and hand back."
      }),
      call("Thank you. I look at the form.", "computer_screenshot", {}),
      click("I enter the name of the team.", ...form.name),
      type("I type it.", "The team"),
      status(
        "That is all I can do in a demo.",
        "completed",
        "The form has the team's name. A real model would go on with what you answered."
      )
    ]
  }
]

/** To tasks that a person creates in the demo. */
export const otherReply: Scripted = status(
  "This is the demo: its model is emulated and knows three tasks only.",
  "completed",
  "The demo has no real model. Set ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY and run: bytebot-agent serve"
)
