/** The text with the user and password of every URL in it replaced by stars (RFC 3986, section 3.2.1). */
export const withoutCredentials = (text: string): string => text.replaceAll(/\/\/[^\s,]*@/g, "//***@")
