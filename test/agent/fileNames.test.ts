import { assert, describe, it, layer } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { desktopFileNames } from "../../src/domain/TaskFile.ts"
import { createTask, messagesOf, Stage, untilStatus } from "../support/Stage.ts"

const awkward = Schema.Literals(["x", "x (2)", "../x", "a\\x", "x.txt", "x.txt ", ".x", "", "..", "'", '"', "`", "$"])

describe("names of files on the desktop", () => {
  it.effect.prop(
    "differ from each other, and hold nothing that a shell reads",
    [Arbitrary.array(Arbitrary.schema(Schema.Union([awkward, Schema.String])))],
    ([names]) =>
      Effect.sync(() => {
        const given = desktopFileNames(names)
        assert.strictEqual(given.length, names.length)
        assert.strictEqual(new Set(given).size, names.length)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
        for (const name of given) assert.notMatch(name, /^\.{0,2}$|["'$`/\\\u0000-\u001f\u007f]/)
      })
  )

  it("are numbered in the order of the files, before their endings", () => {
    assert.deepStrictEqual(
      desktopFileNames(["x", "../x", "a/x", "x (2)", "r.tar.gz", "b\\r.tar.gz", ".env", "c/.env"]),
      ["x", "x (2)", "x (3)", "x (2) (2)", "r.tar.gz", "r.tar (2).gz", ".env", ".env (2)"]
    )
    assert.deepStrictEqual(desktopFileNames(['it\'s "$5".txt', "", "."]), ["it_s __5_.txt", "file", "file (2)"])
    const many = desktopFileNames(Array.from({ length: 20_000 }, () => "x"))
    assert.strictEqual(many.at(-1), "x (20000)")
  })
})

layer(Stage.layer(), { timeout: "60 seconds", excludeTestServices: true })("files of one name", (test) => {
  test.effect("are all on the desktop, and the first message says under which names", () =>
    Effect.gen(function* () {
      const { desktop, model } = yield* Stage
      model.enqueue({
        content: [{ type: "tool_use", name: "set_task_status", input: { status: "completed", description: "done" } }]
      })
      const names = ["x", "../x", "a/x", "it's.txt", "notes.txt"]
      const id = yield* createTask("files", {
        files: names.map((name, index) => ({
          name,
          base64: Buffer.from(`content ${index}`).toString("base64"),
          type: "text/plain",
          size: 9
        }))
      })
      yield* untilStatus(id, "COMPLETED")
      for (const [index, name] of ["x", "x (2)", "x (3)", "it_s.txt", "notes.txt"].entries()) {
        assert.strictEqual(
          desktop.files.contents.get(`/home/user/Desktop/${name}`)?.toString(),
          `content ${index}`,
          name
        )
      }
      const [first] = yield* messagesOf(id)
      assert.deepStrictEqual(first?.content, [
        {
          type: "text",
          text: [
            "files \n",
            "File x written to desktop.",
            "File ../x written to desktop as x (2).",
            "File a/x written to desktop as x (3).",
            "File it's.txt written to desktop as it_s.txt.",
            "File notes.txt written to desktop."
          ].join("\n")
        }
      ])
    })
  )
})
