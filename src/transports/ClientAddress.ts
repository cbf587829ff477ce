import { Option } from "effect"

/** Where nobody knows who asks, as on a Unix socket. */
const unknown = "unknown"

/**
 * The address of who asks. Behind `proxies` of one's own, each of which adds the address that it sees to X-Forwarded-For, it is the one
 * that the outermost of them added: what stands before that is the client's own claim.
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
