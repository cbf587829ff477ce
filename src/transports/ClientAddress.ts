import { isIPv6 } from "node:net"
import { Option } from "effect"

/** A connection without an address, such as a Unix socket. */
const unknown = "unknown"

/**
 * The client's address. Each of the `proxies` in front adds the address that it sees to X-Forwarded-For: the outermost proxy's entry counts,
 * entries before it are the client's own claim.
 */
export const clientAddress = (
  proxies: number,
  connection: Option.Option<string>,
  forwardedFor: string | undefined
): string => {
  const own = Option.getOrElse(connection, () => unknown)
  if (proxies === 0 || forwardedFor === undefined) return own
  const addresses = forwardedFor.split(",").map((address) => address.trim())
  return addresses.at(-proxies) ?? addresses[0] ?? own
}

/** Characters of the longest address, with a zone. Longer text is a client's, and no address. */
const longest = 64

/**
 * The key by which limits count an address. Of IPv6 it is the first 64 bits: a customer gets at least a network of that size (RFC 6177), so
 * that one machine may use all its addresses. IPv4 may come as IPv6 (`::ffff:192.0.2.1`).
 */
export const limitKey = (address: string): string => {
  const plain = address.slice(0, longest).replace(/^::ffff:(?=\d+\.)/i, "")
  if (!isIPv6(plain)) return `address ${plain}`
  const [head = "", tail] = plain.replace(/%.*$/, "").split("::")
  const groups = head === "" ? [] : head.split(":")
  const after = tail === undefined || tail === "" ? [] : tail.split(":")
  const filled = [
    ...groups,
    ...Array.from({ length: Math.max(0, 8 - groups.length - after.length) }, () => "0"),
    ...after
  ]
  return `address ${filled
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`
}
