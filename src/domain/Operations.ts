import { Schema } from "effect"

/** What runs. */
export const Version = Schema.Struct({ service: Schema.String, version: Schema.String, node: Schema.String })

/** Open sockets and the rooms they are in, each with its number of sockets (docs/contract/rest.md, the Rust version's routes). */
export const SocketStatistics = Schema.Struct({
  websocket: Schema.Struct({
    total_connections: Schema.Int,
    total_rooms: Schema.Int,
    rooms: Schema.Record(Schema.String, Schema.Int)
  })
})
export interface SocketStatistics extends Schema.Schema.Type<typeof SocketStatistics> {}
