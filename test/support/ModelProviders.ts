import { start as startAnthropic } from "../emulators/anthropic.ts"
import { start as startGoogle } from "../emulators/google.ts"
import type { ModelEmulator } from "../emulators/modelEmulator.ts"
import { start as startOpenAI } from "../emulators/openai.ts"
import { start as startProxy } from "../emulators/proxy.ts"

/** A provider of models as the tests start it; the same script makes every one give the same answers. */
export interface Provider {
  readonly name: string
  /** Takes the place of the recorded model. */
  readonly model: string
  readonly start: () => Promise<ModelEmulator<unknown, unknown>>
  readonly settings: (url: string) => Readonly<Record<string, string>>
}

/** The provider of the recorded runs. */
export const recordedProvider = "anthropic"
export const providers: ReadonlyArray<Provider> = [
  {
    name: recordedProvider,
    model: "claude-sonnet-4-20250514",
    start: startAnthropic,
    settings: (url) => ({ ANTHROPIC_API_KEY: "test-key", ANTHROPIC_BASE_URL: url })
  },
  {
    name: "openai",
    model: "gpt-6.1-sol",
    start: startOpenAI,
    settings: (url) => ({ OPENAI_API_KEY: "test-key", OPENAI_BASE_URL: `${url}/v1` })
  },
  {
    name: "google",
    model: "gemini-3.8-flash",
    start: startGoogle,
    settings: (url) => ({ GEMINI_API_KEY: "test-key", GOOGLE_GEMINI_BASE_URL: url })
  },
  {
    name: "proxy",
    model: "ollama/qwen",
    start: startProxy,
    settings: (url) => ({ BYTEBOT_LLM_PROXY_URL: url })
  }
]
