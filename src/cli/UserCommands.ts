import { Command, Flag } from "effect/cli"
import { lazily } from "./Lazily.ts"

/** `bytebot-agent user …`: accounts of the service's database. */
export const user = Command.make("user").pipe(
  Command.withDescription("Create accounts in the service's database"),
  Command.withSubcommands([
    Command.make(
      "create",
      {
        email: Flag.String("email").pipe(Flag.withDescription("Address with which the user logs in")),
        name: Flag.String("name").pipe(
          Flag.withDescription("Name that is shown; without it the address up to its @"),
          Flag.optional
        ),
        admin: Flag.Boolean("admin").pipe(
          Flag.withDescription("Make an administrator, who sees all tasks"),
          Flag.withDefault(false)
        )
      },
      (account) =>
        lazily(
          () => import("./CreateUser.ts"),
          ({ createUser }) => createUser(account)
        )
    ).pipe(
      Command.withDescription(
        "Create an account, also where BYTEBOT_SIGN_UP is false. The password is read from a pipe, or else made and shown"
      ),
      Command.withExamples([
        { command: "bytebot-agent user create --email ada@example.org --admin", description: "Make an administrator" }
      ])
    )
  ])
)
