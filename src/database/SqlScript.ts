/** Comments, quoted texts and names, dollar-quoted bodies, words, semicolons, and whatever else (PostgreSQL's documentation, 4.1). */
const token =
  /--[^\n]*|\/\*[\s\S]*?\*\/|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\1|[A-Za-z_][\w$]*|[\s\S]/g

const isComment = (text: string): boolean => text.startsWith("--") || text.startsWith("/*")

/**
 * The statements of a script, comments and closing semicolons removed: the driver takes one statement at a time. Nested comments
 * and bodies of SQL-standard functions (BEGIN ATOMIC) are not understood.
 */
export const statementsOf = (script: string): ReadonlyArray<string> => {
  const statements = [""]
  for (const [text] of script.matchAll(token)) {
    if (text === ";") statements.push("")
    else statements.push(`${statements.pop() ?? ""}${isComment(text) ? " " : text}`)
  }
  return statements.map((statement) => statement.trim()).filter((statement) => statement !== "")
}
