import { useVirtualizer } from "@tanstack/react-virtual"
import { Pause, Play } from "lucide-react"
import { useEffect, useRef } from "react"
import { thumbnail } from "./pictures.ts"
import { pictureBefore, type Step } from "./timeline.ts"
import type { Player } from "./usePlayer.ts"

interface ScrubberProps {
  readonly steps: ReadonlyArray<Step>
  readonly player: Player
  /** Whether more steps may come. */
  readonly live: boolean
}

const speeds = [1, 2, 4, 8] as const
const width = 96

/** What the screen was after the step; steps that did not change it show what was there. */
const Thumbnail = ({ place, steps }: { readonly steps: ReadonlyArray<Step>; readonly place: number }) => {
  const picture = steps[place]?.picture ?? pictureBefore(steps, place)
  return picture === undefined ? (
    <span>{place + 1}</span>
  ) : (
    <img src={thumbnail(picture, width * 2)} alt="" loading="lazy" />
  )
}

/** Every step as a thumbnail, the slider over them, and the film's controls. */
export const Scrubber = ({ live, player, steps }: ScrubberProps) => {
  const parent = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    horizontal: true,
    count: steps.length,
    getScrollElement: () => parent.current,
    estimateSize: () => width + 6,
    overscan: 4
  })
  const { following, index, playing, select, setSpeed, speed, toggle } = player
  useEffect(() => {
    if (index >= 0) virtual.scrollToIndex(index, { align: "auto" })
  }, [index, virtual])
  return (
    <section className="scrubber" aria-label="Film">
      <div className="controls">
        <button type="button" className="icon" onClick={toggle} aria-label={playing ? "Pause" : "Play"}>
          {playing ? <Pause size={18} aria-hidden="true" /> : <Play size={18} aria-hidden="true" />}
        </button>
        <select
          aria-label="Speed"
          value={speed}
          onChange={({ currentTarget }) => setSpeed(Number(currentTarget.value))}
        >
          {speeds.map((times) => (
            <option key={times} value={times}>
              {times}×
            </option>
          ))}
        </select>
        <input
          type="range"
          aria-label="Step"
          min={1}
          max={Math.max(1, steps.length)}
          value={index + 1}
          onChange={({ currentTarget }) => select(Number(currentTarget.value) - 1)}
        />
        <span className="position">
          {steps.length === 0 ? "no steps" : `${index + 1} of ${steps.length}`}
          {following && live && " · live"}
        </span>
      </div>
      <div className="strip" ref={parent} tabIndex={-1}>
        <div style={{ width: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index: place, key, start }) => {
            const step = steps[place]
            return (
              step && (
                <button
                  key={key}
                  type="button"
                  tabIndex={-1}
                  className="thumb"
                  aria-label={`Step ${place + 1}`}
                  aria-current={place === index ? "step" : undefined}
                  data-by={step.by}
                  style={{ transform: `translateX(${start}px)` }}
                  onClick={() => select(place)}
                >
                  <Thumbnail steps={steps} place={place} />
                </button>
              )
            )
          })}
        </div>
      </div>
    </section>
  )
}
