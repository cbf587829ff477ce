/**
 * A URL, or a list of them, for people to read: without user and password (RFC 3986, section 3.2.1). Everything up to the
 * last @ is hidden, since a password that was not percent-encoded may hold any character.
 */
export const withoutCredentials = (text: string): string => text.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, "$1***@")
