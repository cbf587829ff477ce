import { Command, Flag } from "effect/cli"
import { lazily } from "./Lazily.ts"

const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON, for scripts"), Flag.withDefault(false))

/** `bytebot-agent migrate …` */
export const migrate = Command.make("migrate").pipe(
  Command.withDescription("Look at the database's schema, or bring it up to date"),
  Command.withSubcommands([
    Command.make("status", { json }, ({ json }) =>
      lazily(
        () => import("./Migrations.ts"),
        ({ status }) => status(json)
      )
    ).pipe(Command.withDescription("Show which migrations the database has")),
    Command.make("up", { json }, ({ json }) =>
      lazily(
        () => import("./Migrations.ts"),
        ({ up }) => up(json)
      )
    ).pipe(Command.withDescription("Apply those that it lacks"))
  ])
)

/** `bytebot-agent db …`: what PostgreSQL's own programs (pg_dump, pg_restore, psql) need to reach the database. */
export const db = Command.make("db").pipe(
  Command.withDescription("Reach the database with PostgreSQL's own programs"),
  Command.withSubcommands([
    Command.make("url", {}, () =>
      lazily(
        () => import("./DatabaseAccess.ts"),
        ({ showUrl }) => showUrl
      )
    ).pipe(
      Command.withDescription(
        "Print the connection string, with the password, as psql, pg_dump and pg_restore take it"
      ),
      Command.withExamples([
        {
          command: 'pg_dump --format=custom --file=bytebot.dump "$(bytebot-agent db url)"',
          description: "Dump all data"
        }
      ])
    ),
    Command.make("serve", {}, () =>
      lazily(
        () => import("./DatabaseAccess.ts"),
        ({ serve }) => serve
      )
    ).pipe(Command.withDescription("Run the private PostgreSQL server without the service, until Ctrl-C"))
  ])
)
