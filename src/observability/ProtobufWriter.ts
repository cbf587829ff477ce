/**
 * Writes a protobuf message (https://protobuf.dev/programming-guides/encoding) from its end to its beginning: the length of what is nested,
 * which stands before it, is known by then. So all of it goes into one buffer, and fields are given in reverse order.
 */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(64 * 1024)
  #start = this.#bytes.length

  /** Bytes written so far. */
  get length(): number {
    return this.#bytes.length - this.#start
  }

  /** What was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes.subarray(this.#start))
  }

  /** A number of wire type 0 by itself, without its field: lengths and tags. */
  #varint(value: number): void {
    let size = 1
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
    let at = this.#reserve(size)
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[at++] = (rest % 0x80) | 0x80
    this.#bytes[at] = rest
  }

  /** A whole number that is not negative, up to 2^53. */
  uint(field: number, value: number): void {
    this.#varint(value)
    this.#varint(field * 8)
  }

  /** A signed number of 64 bits. */
  int(field: number, value: number | string): void {
    const digits: Array<number> = []
    let rest = BigInt.asUintN(64, BigInt(value))
    for (; rest >= 0x80n; rest >>= 7n) digits.push(Number(rest & 0x7fn) | 0x80)
    digits.push(Number(rest))
    const at = this.#reserve(digits.length)
    this.#bytes.set(digits, at)
    this.#varint(field * 8)
  }

  /** Decimal digits as 64 bits of wire type 1. */
  fixed64(field: number, value: string): void {
    const at = this.#reserve(8)
    this.#bytes.writeBigUInt64LE(BigInt(value), at)
    this.#varint(field * 8 + 1)
  }

  double(field: number, value: number): void {
    const at = this.#reserve(8)
    this.#bytes.writeDoubleLE(value, at)
    this.#varint(field * 8 + 1)
  }

  string(field: number, value: string): void {
    const size = Buffer.byteLength(value)
    const at = this.#reserve(size)
    this.#bytes.write(value, at, size, "utf8")
    this.#head(field, size)
  }

  /** Bytes given in hexadecimal digits. */
  hex(field: number, value: string): void {
    const size = value.length / 2
    const at = this.#reserve(size)
    this.#bytes.write(value, at, size, "hex")
    this.#head(field, size)
  }

  bytes(field: number, value: Uint8Array): void {
    const at = this.#reserve(value.length)
    this.#bytes.set(value, at)
    this.#head(field, value.length)
  }

  /** A nested message, whose fields `write` gives. */
  message<A>(field: number, value: A, write: (value: A) => void): void {
    const before = this.length
    write(value)
    this.#head(field, this.length - before)
  }

  /** One message for each value. */
  messages<A>(field: number, values: ReadonlyArray<A>, write: (value: A) => void): void {
    for (const value of values.toReversed()) this.message(field, value, write)
  }

  #head(field: number, size: number): void {
    this.#varint(size)
    this.#varint(field * 8 + 2)
  }

  /** Makes room, perhaps in a larger buffer; gives where it begins. */
  #reserve(size: number): number {
    if (this.#start < size) {
      const grown = Buffer.allocUnsafe(2 * (this.#bytes.length + size))
      this.#bytes.copy(grown, grown.length - this.length, this.#start)
      this.#start = grown.length - this.length
      this.#bytes = grown
    }
    this.#start -= size
    return this.#start
  }
}
