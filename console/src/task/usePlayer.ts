import { useEffect, useState } from "react"

export interface Player {
  readonly index: number
  readonly playing: boolean
  readonly speed: number
  /** The newest step is shown as it comes. */
  readonly following: boolean
  readonly select: (index: number) => void
  readonly toggle: () => void
  readonly setSpeed: (speed: number) => void
}

/** Milliseconds that a step stays at speed 1. */
const frame = 1000

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null

/** Which step is shown. Without a choice it is the newest. Space plays, the arrow keys step, Home and End go to the ends. */
export const usePlayer = (count: number): Player => {
  const [chosen, setChosen] = useState<number>()
  const [playing, setPlaying] = useState(false)
  const [speed, setSpeed] = useState(1)
  const last = count - 1
  const index = chosen === undefined ? last : Math.min(chosen, last)

  const select = (index: number) => setChosen(index >= last ? undefined : Math.max(0, index))
  const toggle = () => {
    if (!playing && index >= last) setChosen(0)
    setPlaying(!playing && count > 1)
  }

  useEffect(() => {
    if (!playing) return
    const timer = setInterval(() => {
      setChosen((chosen) => (chosen === undefined || chosen >= last ? undefined : chosen + 1))
    }, frame / speed)
    return () => clearInterval(timer)
  }, [playing, speed, last])
  useEffect(() => {
    if (playing && chosen === undefined) setPlaying(false)
  }, [playing, chosen])

  useEffect(() => {
    const keys: Readonly<Record<string, () => void>> = {
      " ": toggle,
      ArrowRight: () => select(index + 1),
      ArrowLeft: () => select(index - 1),
      Home: () => select(0),
      End: () => select(last)
    }
    const onKey = (event: KeyboardEvent) => {
      const act = keys[event.key]
      if (act === undefined || event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return
      if (event.key === " " && event.target instanceof HTMLButtonElement) return
      event.preventDefault()
      act()
    }
    window.addEventListener("keydown", onKey)
    return () => window.removeEventListener("keydown", onKey)
  })

  return { index, playing, speed, following: chosen === undefined, select, toggle, setSpeed }
}
