/** Key names the daemon takes (its own and X11's, whatever the case), each with the name it reports while tracking. */

const range = (count: number, name: (i: number) => string) => Array.from({ length: count }, (_, i) => name(i))

const own = [
  ...range(26, (i) => String.fromCharCode(65 + i)),
  ...range(10, (i) => `Num${i}`),
  ...range(10, (i) => `NumPad${i}`),
  ...range(24, (i) => `F${i + 1}`),
  ..."Escape Print ScrollLock Pause Grave Minus Equal Backspace Insert Home PageUp NumLock Divide Multiply".split(" "),
  ..."Subtract Tab LeftBracket RightBracket Backslash Delete End PageDown Add CapsLock Semicolon Quote".split(" "),
  ..."Return Enter Up Down Left Right Comma Period Slash Space Menu Fn Decimal Clear".split(" "),
  ...["Shift", "Control", "Alt", "Super", "Cmd", "Win", "Meta"].flatMap((key) => [`Left${key}`, `Right${key}`])
]

const aliases: Readonly<Record<string, string>> = {
  ...Object.fromEntries(range(10, (i) => String(i)).map((digit) => [digit, `Num${digit}`])),
  ...Object.fromEntries(range(10, (i) => String(i)).map((digit) => [`kp_${digit}`, `NumPad${digit}`])),
  return: "Enter",
  kp_enter: "Enter",
  ctrl: "LeftControl",
  control: "LeftControl",
  control_l: "LeftControl",
  control_r: "RightControl",
  shift: "LeftShift",
  shift_l: "LeftShift",
  shift_r: "RightShift",
  alt: "LeftAlt",
  alt_l: "LeftAlt",
  alt_r: "RightAlt",
  meta: "LeftMeta",
  super: "LeftMeta",
  super_l: "LeftMeta",
  super_r: "RightMeta",
  cmd: "LeftMeta",
  win: "LeftMeta",
  esc: "Escape",
  del: "Delete",
  page_up: "PageUp",
  prior: "PageUp",
  page_down: "PageDown",
  next: "PageDown",
  caps_lock: "CapsLock",
  num_lock: "NumLock",
  scroll_lock: "ScrollLock",
  " ": "Space",
  "-": "Minus",
  "=": "Equal",
  "[": "LeftBracket",
  "]": "RightBracket",
  "\\": "Backslash",
  ";": "Semicolon",
  "'": "Quote",
  "`": "Grave",
  ",": "Comma",
  ".": "Period",
  "/": "Slash"
}

const names = new Map([...own.map((name) => [name.toLowerCase(), name] as const), ...Object.entries(aliases)])

/** The reported name of a key; undefined when the daemon does not know it. */
export const keyName = (key: string): string | undefined => names.get(key.toLowerCase())

/** What type_text can type: the characters of a US keyboard and the line break, but no tab. */
export const isTypable = (char: string): boolean => char === "\n" || (char >= " " && char <= "~")

const shiftedSigns = '~!@#$%^&*()_+{}|:"<>?'

export const needsShift = (char: string): boolean => /[A-Z]/.test(char) || shiftedSigns.includes(char)
