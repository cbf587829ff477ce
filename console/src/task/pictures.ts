import { addressOf } from "../service/Clients.ts"

/** Address of a picture of a message in its full size; the service takes away what makes it invisible in browsers. */
export const fullSize = (path: string): string => `${addressOf(path)}?w=4096`

/** The same, at most `width` pixels wide. */
export const thumbnail = (path: string, width: number): string => `${addressOf(path)}?w=${width}`
