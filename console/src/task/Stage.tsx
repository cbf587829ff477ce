import { useState } from "react"
import { type Mark, marksOf } from "./actionWords.ts"
import { fullSize } from "./pictures.ts"
import { pictureBefore, type Step } from "./timeline.ts"

interface Size {
  readonly width: number
  readonly height: number
}

const arrows: Readonly<Record<string, readonly [number, number]>> = {
  up: [0, -1],
  down: [0, 1],
  left: [-1, 0],
  right: [1, 0]
}

const MarkShape = ({ mark, size }: { readonly mark: Mark; readonly size: Size }) => {
  const unit = Math.max(size.width, size.height) / 100
  switch (mark.kind) {
    case "ring":
      return (
        <g className="mark">
          <circle cx={mark.at.x} cy={mark.at.y} r={unit * 1.6} />
          <circle cx={mark.at.x} cy={mark.at.y} r={unit * 0.3} className="dot" />
          {mark.label !== "" && (
            <text x={mark.at.x + unit * 2.2} y={mark.at.y + unit * 0.7} fontSize={unit * 2}>
              {mark.label}
            </text>
          )}
        </g>
      )
    case "path":
      return (
        <g className="mark">
          <polyline points={mark.points.map(({ x, y }) => `${x},${y}`).join(" ")} />
          {mark.points.slice(-1).map(({ x, y }) => (
            <circle key="end" cx={x} cy={y} r={unit * 0.8} className="dot" />
          ))}
        </g>
      )
    case "scroll": {
      const [dx, dy] = arrows[mark.direction] ?? [0, 1]
      const { x, y } = mark.at
      const [tx, ty] = [x + dx * unit * 6, y + dy * unit * 6]
      return (
        <g className="mark">
          <line x1={x} y1={y} x2={tx} y2={ty} />
          <polyline
            points={`${tx - (dx + dy) * unit * 1.5},${ty - (dy + dx) * unit * 1.5} ${tx},${ty} ${tx - (dx - dy) * unit * 1.5},${ty - (dy - dx) * unit * 1.5}`}
          />
        </g>
      )
    }
    case "chip":
      return null
  }
}

const Marked = ({
  alt,
  marks,
  src
}: {
  readonly src: string
  readonly alt: string
  readonly marks: ReadonlyArray<Mark>
}) => {
  const [size, setSize] = useState<Size>()
  const chips = marks.flatMap((mark) => (mark.kind === "chip" ? [mark.text] : []))
  return (
    <div className="marked">
      <img
        src={src}
        alt={alt}
        onLoad={({ currentTarget }) =>
          setSize({ width: currentTarget.naturalWidth, height: currentTarget.naturalHeight })
        }
      />
      {size !== undefined && (
        <svg viewBox={`0 0 ${size.width} ${size.height}`} aria-hidden="true">
          {marks.map((mark) => (
            <MarkShape key={JSON.stringify(mark)} mark={mark} size={size} />
          ))}
        </svg>
      )}
      {chips.length > 0 && <div className="typed">{chips.join(" ")}</div>}
    </div>
  )
}

/** The screen at a step: before it, with what was done drawn onto it, or after it. */
export const Stage = ({ index, steps }: { readonly steps: ReadonlyArray<Step>; readonly index: number }) => {
  const [wanted, setWanted] = useState<"before" | "after">("before")
  const step = steps[index]
  const marks = step?.actions.flatMap(marksOf) ?? []
  const before = pictureBefore(steps, index)
  const after = step?.by === "captured" ? undefined : step?.picture
  const side =
    marks.length > 0 && before !== undefined && (wanted === "before" || after === undefined) ? "before" : "after"
  const shown = side === "before" ? before : (after ?? before)
  return (
    <figure className="stage">
      {shown === undefined ? (
        <div className="blank">No screenshot yet</div>
      ) : (
        <Marked
          key={shown}
          src={fullSize(shown)}
          alt={`The screen ${side} step ${index + 1}`}
          marks={side === "before" ? marks : []}
        />
      )}
      {marks.length > 0 && before !== undefined && after !== undefined && (
        <fieldset className="sides">
          <legend className="visually-hidden">Screen</legend>
          {(["before", "after"] as const).map((name) => (
            <button key={name} type="button" aria-pressed={side === name} onClick={() => setWanted(name)}>
              {name === "before" ? "Before" : "After"}
            </button>
          ))}
        </fieldset>
      )}
    </figure>
  )
}
