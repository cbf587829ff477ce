import { useVirtualizer } from "@tanstack/react-virtual"
import { type ReactNode, type RefObject, useEffect } from "react"

interface VirtualRowsProps<Item> {
  readonly items: ReadonlyArray<Item>
  readonly keyOf: (item: Item) => string
  readonly row: (item: Item, index: number) => ReactNode
  /** The element that scrolls; the rows are its only child. */
  readonly scrolled: RefObject<HTMLElement | null>
  /** Pixels, until a row was measured. */
  readonly estimate: number
  /** The row that is kept in view. */
  readonly kept?: number
}

/** Rows of any height, of which those in view are there. */
export const VirtualRows = <Item,>({ estimate, items, kept = -1, keyOf, row, scrolled }: VirtualRowsProps<Item>) => {
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scrolled.current,
    getItemKey: (index) => {
      const item = items[index]
      return item === undefined ? index : keyOf(item)
    },
    estimateSize: () => estimate,
    overscan: 10
  })
  useEffect(() => {
    if (kept >= 0) virtual.scrollToIndex(kept, { align: "auto" })
  }, [kept, virtual])
  return (
    <div style={{ height: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map(({ index, key, start }) => {
        const item = items[index]
        return (
          item !== undefined && (
            <div
              key={key}
              data-index={index}
              ref={virtual.measureElement}
              className="placed"
              style={{ transform: `translateY(${start}px)` }}
            >
              {row(item, index)}
            </div>
          )
        )
      })}
    </div>
  )
}
