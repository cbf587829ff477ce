import { randomBytes } from "node:crypto"
import { Duration } from "effect"
import { Adapter, type BroadcastOptions, type Session } from "socket.io-adapter"

/** How long a lost client can get its rooms and the missed events back, in ms; Socket.IO's own default. */
const window = Duration.toMillis("2 minutes")

/** Most that is kept for lost clients, in characters of JSON: the window is shorter while many screenshots pass. */
const capacity = 32 * 1024 * 1024

/** Rooms of the sockets that get events with, or without, an offset. No client can join them: theirs begin with `task_`. */
export const offsetRooms = { with: "with_offset", without: "without_offset" } as const

type Lost = Omit<Session, "missedPackets">

interface LostSession extends Lost {
  /** By room: the position of the newest event when the client joined. */
  readonly joined: ReadonlyMap<string, number>
  /** Milliseconds since the epoch. */
  readonly lostAt: number
}

interface Packet {
  /** Name and payload. */
  readonly data: ReadonlyArray<unknown>
}

/** An event that was sent to rooms; no rooms: to all. */
interface Sent extends Packet {
  readonly rooms: ReadonlySet<string>
  readonly position: number
  /** Characters. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly sentAt: number
}

/**
 * Socket.IO's in-memory adapter with connection state recovery (https://socket.io/docs/v4/connection-state-recovery). It differs from
 * Socket.IO's own in four points: what it keeps is bounded; it knows whether a room is awaited; clients that do not ask for offsets get
 * none; and a client that had received no event, so that it has no offset to show, can have its rooms back too (`resume`), as the web UI
 * never joins again by itself (docs/contract/socketio.md).
 */
export class RecoveryAdapter extends Adapter {
  /** Whether a client gets what it missed before its identity is checked; else it has to wait for `resume`. */
  restoresAtOnce = true
  /** Offsets of another process are ignored. */
  private readonly process = randomBytes(6).toString("hex")
  private readonly joined = new Map<string, Map<string, number>>()
  private readonly lost = new Map<string, LostSession>()
  private sent: Array<Sent> = []
  private size = 0
  private position = 0

  /** Whether a client in the room, or any client, is connected or may come back. */
  hasAudience(room?: string): boolean {
    if (room === undefined ? this.sids.size > 0 : this.rooms.has(room)) return true
    return [...this.lost.values()].some(
      (session) => isAwaited(session) && (room === undefined || session.joined.has(room))
    )
  }

  /**
   * Rooms and missed events of a lost client that Socket.IO itself could not recover. `offset` is that of the last event that the client got,
   * if any; `isSame` says whether the data of the lost socket is of the same user.
   */
  resume(
    pid: string,
    offset: string | undefined,
    isSame: (data: unknown) => boolean
  ): { readonly rooms: ReadonlyArray<string>; readonly missed: ReadonlyArray<Packet> } {
    const session = this.lost.get(pid)
    if (session === undefined || !isSame(session.data)) return { rooms: [], missed: [] }
    this.lost.delete(pid)
    if (!isAwaited(session)) return { rooms: [], missed: [] }
    return {
      rooms: session.rooms.filter((room) => room !== session.sid),
      missed: this.missedBy(session, this.positionOf(offset) ?? 0)
    }
  }

  /** The data of the lost sockets. */
  lostData(): ReadonlyArray<unknown> {
    return [...this.lost.values()].map(({ data }) => data)
  }

  /** Forgets the lost clients whose login is over. */
  forget(isOver: (data: unknown) => boolean): void {
    for (const session of this.lost.values()) if (isOver(session.data)) this.forgetSession(session)
  }

  /** Evicts lost clients and events that are too old. */
  expire(): void {
    for (const session of this.lost.values()) if (!isAwaited(session)) this.forgetSession(session)
    const oldest = Date.now() - window
    while (this.sent[0] !== undefined && (this.sent[0].sentAt < oldest || this.size > capacity)) {
      this.size -= this.sent.shift()?.size ?? 0
    }
  }

  override broadcast(packet: Packet, options: BroadcastOptions): void {
    this.position += 1
    const size = JSON.stringify(packet.data).length
    this.sent.push({ data: packet.data, rooms: options.rooms, position: this.position, size, sentAt: Date.now() })
    this.size += size
    this.expire()
    if (this.rooms.has(offsetRooms.without)) {
      super.broadcast(packet, { ...options, except: new Set([offsetRooms.with]) })
    }
    if (this.rooms.has(offsetRooms.with)) {
      const data = [...packet.data, this.offsetOf(this.position)]
      super.broadcast({ ...packet, data }, { ...options, except: new Set([offsetRooms.without]) })
    }
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

  /** Keeps nothing of a client without a `pid`, which can't prove its identity. */
  override persistSession(session: Lost): void {
    this.expire()
    if (session.pid === undefined) return
    const joined = this.joined.get(session.sid) ?? new Map<string, number>()
    this.lost.set(session.pid, { ...session, joined, lostAt: Date.now() })
  }

  /** Rejects when the client can't have everything that it missed; Socket.IO then treats it as a new one. */
  override async restoreSession(pid: string, offset: string): Promise<Session> {
    const session = this.lost.get(pid)
    const received = this.positionOf(offset)
    const complete = received !== undefined && received + 1 >= (this.sent[0]?.position ?? this.position + 1)
    // A connection with the session's id still exists when its client came back, but did not hear that it was back.
    const isConnected = session !== undefined && this.sids.has(session.sid)
    if (!this.restoresAtOnce || session === undefined || !isAwaited(session) || !complete || isConnected) {
      throw new Error("The session can't be restored")
    }
    // The packets are on their way again, but not received yet: the client may be lost once more.
    this.joined.set(session.sid, new Map(session.joined))
    const missed = this.missedBy(session, received)
    return { ...session, missedPackets: missed.map(({ data, position }) => [...data, this.offsetOf(position)]) }
  }

  private forgetSession({ pid, sid }: LostSession): void {
    this.lost.delete(pid)
    if (!this.sids.has(sid)) this.joined.delete(sid)
  }

  private offsetOf(position: number): string {
    return `${this.process}.${position}`
  }

  /** Undefined for no offset, or one of another process. */
  private positionOf(offset: string | undefined): number | undefined {
    const [process, position] = offset?.split(".") ?? []
    return process === this.process && position !== undefined ? Number(position) : undefined
  }

  /** Events for the client's rooms after it joined them and after the given position. */
  private missedBy(session: LostSession, received: number): ReadonlyArray<Sent> {
    const joinedBefore = (room: string, position: number) => (session.joined.get(room) ?? Infinity) < position
    return this.sent.filter(({ position, rooms }) => {
      const addressed = rooms.size === 0 ? [session.sid] : [...rooms]
      return position > received && addressed.some((room) => joinedBefore(room, position))
    })
  }
}

const isAwaited = (session: LostSession): boolean => session.lostAt + window > Date.now()
