import { useSyncExternalStore } from "react"

/** Whether events arrive: `lost` from the first failure until the service has answered again. */
export type Connection = "live" | "lost"

let current: Connection = "live"
const listeners = new Set<() => void>()

export const setConnection = (connection: Connection): void => {
  if (connection === current) return
  current = connection
  for (const listener of listeners) listener()
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export const useConnection = (): Connection => useSyncExternalStore(subscribe, () => current)
