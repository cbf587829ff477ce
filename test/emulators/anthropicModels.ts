/** What differs between models: https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting */

export interface ModelTraits {
  /** A request may end with an assistant message (before 4.6). */
  readonly prefill: boolean
  /** The values of thinking.type it takes. */
  readonly thinking: ReadonlyArray<string>
  /** temperature, top_p and top_k. */
  readonly sampling: boolean
  /** tool_choice any and tool. */
  readonly forcedTools: boolean
  /** output_config.effort: platform.claude.com/docs/en/build-with-claude/effort. The words of the refusal are belief. */
  readonly effort: boolean
}

const everything: ModelTraits = {
  prefill: true,
  thinking: ["enabled", "disabled", "adaptive", "between_tools"],
  sampling: true,
  forcedTools: true,
  effort: true
}

const named = /^claude-(opus|sonnet|haiku|fable|mythos)-(\d+)(?:-(\d{1,2}))?(?:-|$)/

/** A model whose name is not understood may do everything. */
export const traitsOf = (model: string): ModelTraits => {
  const [, family, major, minor] = named.exec(model) ?? []
  if (family === undefined || major === undefined) return everything
  const version = Number(major) + Number(minor ?? 0) / 100
  const since = (wanted: number) => version >= wanted
  const top = family === "fable" || family === "mythos"
  const alwaysThinks = top || (since(5.05) && (family === "opus" || family === "sonnet"))
  return {
    prefill: !since(4.06),
    thinking: [
      ...(since(4.07) ? [] : ["enabled"]),
      ...(alwaysThinks ? [] : ["disabled"]),
      ...(since(4.06) ? ["adaptive"] : []),
      ...(since(5.05) && family !== "opus" && !top ? ["between_tools"] : [])
    ],
    sampling: !(top || (family === "opus" && since(4.07))),
    forcedTools: !((family === "opus" && since(5.05)) || (top && since(5.01))),
    effort: since(4.06) || (family === "opus" && since(4.05))
  }
}
