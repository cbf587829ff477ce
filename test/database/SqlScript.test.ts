import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { statementsOf } from "../../src/database/Migrations.ts"

/** Parts of a statement that hold semicolons, none of which ends it. */
const parts = [
  "SELECT 1",
  "'it''s; fine'",
  "E'a\\';b'",
  '"odd;""name"',
  "$$ BEGIN; END; $$",
  "$body$ SELECT ';'; $$ ; $body$",
  "a$b",
  "f($1)",
  "x::text[]"
]

describe("statementsOf", () => {
  it("drops comments and empty statements", () => {
    assert.deepStrictEqual(statementsOf("-- a; b\nSELECT 1; /* ; */ ;\n\nSELECT '--x;' -- end\n;"), [
      "SELECT 1",
      "SELECT '--x;'"
    ])
  })

  it.prop(
    "gives back the statements that a script was joined from",
    [Schema.Array(Schema.NonEmptyArray(Schema.Literals(parts)))],
    ([statements]) => {
      const texts = statements.map((words) => words.join(" "))
      assert.deepStrictEqual(statementsOf(texts.map((text) => `${text}; -- next;\n`).join("")), texts)
    }
  )
})
