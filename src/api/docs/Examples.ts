import packageJson from "../../../package.json" with { type: "json" }

/** Examples for the API's documents: one task's story, as the wire shows it. A test decodes each by the schema it stands for. */

const id = "5d2f3c1e-7a54-4b0e-9a0c-3f1b8f0f6a11"
const messageId = "0c5f7c0a-1a52-4f6d-8d5c-2f2a5a4d9b20"

export const model = { provider: "anthropic", name: "claude-opus-5-5", title: "Claude Opus 5.5", contextWindow: 200000 }

export const task = {
  id,
  description: "Open the browser and look up the weather",
  type: "IMMEDIATE",
  status: "RUNNING",
  priority: "MEDIUM",
  control: "ASSISTANT",
  createdAt: "2026-11-24T08:00:00.000Z",
  createdBy: "USER",
  scheduledFor: null,
  updatedAt: "2026-11-24T08:00:01.000Z",
  executedAt: "2026-11-24T08:00:01.000Z",
  completedAt: null,
  queuedAt: null,
  error: null,
  result: null,
  model: { name: "claude-opus-5-5", title: "Claude Opus 5.5", provider: "anthropic", contextWindow: 200000 }
}

const file = {
  id: "9f1d0b7e-6d1c-4b1f-8a5e-0f6f2d3c4b5a",
  name: "notes.txt",
  type: "text/plain",
  size: 5,
  data: "aGVsbG8=",
  createdAt: "2026-11-24T08:00:00.000Z",
  updatedAt: "2026-11-24T08:00:00.000Z",
  taskId: id
}

/** As it is created, and as it ends. */
export const newborn = { ...task, status: "PENDING", updatedAt: task.createdAt, executedAt: null }
export const completed = {
  ...task,
  status: "COMPLETED",
  updatedAt: "2026-11-24T08:00:42.000Z",
  completedAt: "2026-11-24T08:00:42.000Z",
  result: { description: "It rains." }
}

export const taskWithFiles = { ...task, files: [file] }

export const newTask = {
  description: "Open the browser and look up the weather",
  priority: "MEDIUM",
  model,
  files: [{ name: "notes.txt", base64: "aGVsbG8=", type: "text/plain", size: 5 }]
}

export const message = {
  id: messageId,
  content: [{ text: "Open the browser and look up the weather ", type: "text" }],
  role: "USER",
  createdAt: "2026-11-24T08:00:00.000Z",
  updatedAt: "2026-11-24T08:00:00.000Z",
  taskId: id,
  summaryId: null
}

export const reply = {
  ...message,
  id: "f0a4f6a8-6a0e-4f0b-9d63-0b7a1c2d3e4f",
  content: [
    { text: "I look at the screen first.", type: "text" },
    { id: "toolu_01", name: "computer_screenshot", type: "tool_use", input: {} }
  ],
  role: "ASSISTANT",
  createdAt: "2026-11-24T08:00:03.000Z",
  updatedAt: "2026-11-24T08:00:03.000Z"
}

const timestamp = "2026-11-24T08:00:00.000Z"
const about = { timestamp, version: packageJson.version, service: "bytebot-agent" }

export const health = {
  status: "healthy",
  ...about,
  database: { connected: true, pool_stats: { size: 2, idle: 1 } }
}

export const detailedHealth = {
  status: "healthy",
  ...about,
  uptime_seconds: 12.3,
  database: {
    connected: true,
    error: null,
    round_trip_ms: 0.4,
    pool_stats: { max: 10, size: 2, idle: 1, waiting: 0 },
    migrations: { applied: 2, pending: [], last: { name: "20261124000100_service", applied_at: timestamp } }
  }
}

export const summary = {
  id: "s1",
  content: "The browser is open at the weather page.",
  createdAt: timestamp,
  updatedAt: timestamp,
  taskId: id,
  parentId: null
}

export const delta = { taskId: id, index: 0, kind: "text", text: "I'll open the browser and look up" }

export const usage = {
  calls: [
    {
      id: "c1",
      messageId,
      purpose: "reply",
      provider: "anthropic",
      model: "claude-opus-5-5",
      tokens: { input: 3200, output: 120, cacheRead: 2800, cacheWrite: 0 },
      cost: 0.0064,
      durationMs: 2100,
      createdAt: timestamp
    }
  ],
  total: {
    calls: 1,
    tokens: { input: 3200, output: 120, cacheRead: 2800, cacheWrite: 0 },
    cost: 0.0064,
    unpricedCalls: 0
  }
}

export const desktop = {
  name: "office",
  url: "http://10.0.0.5:9990",
  state: "busy",
  taskId: id,
  owner: "process:1",
  lastSeenAt: timestamp
}

export const apiKey = {
  id: "k1",
  name: "nightly report",
  start: "bytebot_Zb3kQ1",
  createdAt: timestamp,
  expiresAt: null,
  lastUsedAt: null
}
