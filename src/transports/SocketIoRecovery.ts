import { randomBytes } from "node:crypto"
import { Duration, Schema } from "effect"
import { Adapter, type Session } from "socket.io-adapter"

/** How long a client that lost its connection gets its rooms and the missed events back; Socket.IO's own default. */
const window = Duration.toMillis("2 minutes")

/** Most that is kept for such clients, in characters of JSON: the window is shorter while many screenshots pass. */
const capacity = 32 * 1024 * 1024

type Lost = Omit<Session, "missedPackets">

interface LostSession extends Lost {
  /** For each room, the position of the newest packet when the client joined. */
  readonly joined: ReadonlyMap<string, number>
  /** Milliseconds since the epoch. */
  readonly lostAt: number
}

/** An event and whom it is for. */
export interface Outgoing {
  readonly name: string
  /** JSON text. */
  readonly payload: string
  /** Empty: to everyone. */
  readonly rooms: ReadonlyArray<string>
}

interface Sent extends Outgoing {
  readonly position: number
  /** Milliseconds since the epoch. */
  readonly sentAt: number
}

/**
 * Socket.IO's in-memory adapter with connection state recovery
 * (https://socket.io/docs/v4/connection-state-recovery). Four things differ from the one that comes with it: what it keeps
 * is bounded, it knows who is awaited in a room, a client that had not received any event yet, so that it has no offset
 * to show, can have its rooms back too (`resume`): the web UI never joins again by itself (docs/contract/socketio.md), and events are sent by
 * whoever calls `remember`, so that they can be encoded once: `emit` to rooms would not be recovered.
 */
export class RecoveryAdapter extends Adapter {
  /** Whether a client gets what it missed before anybody asks who it is; else it has to wait for `resume`. */
  restoresAtOnce = true
  /** Offsets of another process mean nothing here. */
  private readonly process = randomBytes(6).toString("hex")
  private readonly joined = new Map<string, Map<string, number>>()
  private readonly lost = new Map<string, LostSession>()
  private sent: Array<Sent> = []
  private size = 0
  private position = 0

  /** Whether anybody in the room, or anybody at all, is connected or may come back. */
  hasAudience(room?: string): boolean {
    if (room === undefined ? this.sids.size > 0 : this.rooms.has(room)) return true
    for (const session of this.lost.values()) {
      if (isAwaited(session) && (room === undefined || session.joined.has(room))) return true
    }
    return false
  }

  /**
   * Rooms and missed events of a lost client that socket.io itself could not recover. `offset` is that of the last event that
   * the client got, if any; `isSame` says of the lost socket's data whether it was the same person's.
   */
  resume(
    pid: string,
    offset: string | undefined,
    isSame: (data: unknown) => boolean
  ): { readonly rooms: ReadonlyArray<string>; readonly missed: ReadonlyArray<Outgoing> } {
    const session = this.lost.get(pid)
    if (session === undefined || !isSame(session.data)) return { rooms: [], missed: [] }
    this.lost.delete(pid)
    if (!isAwaited(session)) return { rooms: [], missed: [] }
    return {
      rooms: session.rooms.filter((room) => room !== session.sid),
      missed: this.missedBy(session, this.positionOf(offset) ?? 0)
    }
  }

  /** What was remembered of the sockets whose clients are away. */
  lostData(): ReadonlyArray<unknown> {
    return [...this.lost.values()].map(({ data }) => data)
  }

  /** Forgets the lost clients of whose data it is true: they are not to come back. */
  forget(isOver: (data: unknown) => boolean): void {
    for (const [pid, session] of this.lost) {
      if (!isOver(session.data)) continue
      this.lost.delete(pid)
      if (!this.sids.has(session.sid)) this.joined.delete(session.sid)
    }
  }

  /** Forgets who has been away for too long, and what nobody can ask for any more. */
  expire(): void {
    for (const [pid, session] of this.lost) {
      if (isAwaited(session)) continue
      this.lost.delete(pid)
      if (!this.sids.has(session.sid)) this.joined.delete(session.sid)
    }
    const oldest = Date.now() - window
    while (this.sent[0] !== undefined && (this.sent[0].sentAt < oldest || this.size > capacity)) this.dropOldest()
  }

  /** Keeps the event for those who may come back; gives the offset to send with it, as the last argument. */
  remember({ name, payload, rooms }: Outgoing): string {
    this.position += 1
    this.sent.push({ name, payload, rooms, position: this.position, sentAt: Date.now() })
    this.size += payload.length
    this.expire()
    return this.offsetOf(this.position)
  }

  /** Ids of the sockets in any of the rooms, each once; of all when there are no rooms. */
  audience(rooms: ReadonlyArray<string>): Iterable<string> {
    const [room, ...others] = rooms
    if (room === undefined) return this.sids.keys()
    const inRoom = this.rooms.get(room) ?? []
    return others.length === 0
      ? inRoom
      : new Set([...inRoom, ...others.flatMap((other) => [...(this.rooms.get(other) ?? [])])])
  }

  override addAll(id: string, rooms: Set<string>): Promise<void> | void {
    const joined = this.joined.get(id) ?? new Map<string, number>()
    this.joined.set(id, joined)
    for (const room of rooms) if (!joined.has(room)) joined.set(room, this.position)
    return super.addAll(id, rooms)
  }

  override del(id: string, room: string): Promise<void> | void {
    this.joined.get(id)?.delete(room)
    return super.del(id, room)
  }

  override delAll(id: string): void {
    this.joined.delete(id)
    super.delAll(id)
  }

  /** Keeps nothing of a client that has no `pid`, as it can't say who it was. */
  override persistSession(session: Lost): void {
    this.expire()
    if (session.pid === undefined) return
    this.lost.set(session.pid, {
      ...session,
      joined: this.joined.get(session.sid) ?? new Map<string, number>(),
      lostAt: Date.now()
    })
  }

  /** Rejects when the client can't have everything that it missed; socket.io then treats it as a new one. */
  override async restoreSession(pid: string, offset: string): Promise<Session> {
    const session = this.lost.get(pid)
    const received = this.positionOf(offset)
    const complete = received !== undefined && received + 1 >= (this.sent[0]?.position ?? this.position + 1)
    // A connection with the session's id still exists when its client came back, but did not hear that it was back.
    if (
      !this.restoresAtOnce ||
      session === undefined ||
      !isAwaited(session) ||
      !complete ||
      this.sids.has(session.sid)
    ) {
      throw new Error("The session can't be restored")
    }
    // The packets are on their way again, but not received yet: the client may be lost once more.
    this.joined.set(session.sid, new Map(session.joined))
    return { ...session, missedPackets: this.missedBy(session, received).map((event) => this.packetOf(event)) }
  }

  /** Name, payload, offset. */
  private packetOf({ name, payload, position }: Sent): Array<unknown> {
    return [name, decodeJson(payload), this.offsetOf(position)]
  }

  private offsetOf(position: number): string {
    return `${this.process}.${position}`
  }

  /** Undefined for an offset of another process, or none at all. */
  private positionOf(offset: string | undefined): number | undefined {
    const [process, position] = offset?.split(".") ?? []
    return process === this.process && position !== undefined ? Number(position) : undefined
  }

  /** What was sent to the client's rooms after it joined them and after the position that it knows of. */
  private missedBy(session: LostSession, received: number): ReadonlyArray<Sent> {
    const joinedBefore = (room: string, position: number) => (session.joined.get(room) ?? Infinity) < position
    return this.sent.filter(({ position, rooms }) => {
      const addressed = rooms.length === 0 ? [session.sid] : rooms
      return position > received && addressed.some((room) => joinedBefore(room, position))
    })
  }

  private dropOldest(): void {
    const oldest = this.sent.shift()
    this.size -= oldest?.payload.length ?? 0
  }
}

const decodeJson = Schema.decodeSync(Schema.fromJsonString(Schema.Json))

const isAwaited = (session: LostSession): boolean => session.lostAt + window > Date.now()
