import { useNavigate } from "@tanstack/react-router"
import { Effect } from "effect"
import { Base64 } from "effect/encoding"
import { Paperclip, X } from "lucide-react"
import { type ClipboardEvent, type DragEvent, type FormEvent, type KeyboardEvent, useRef, useState } from "react"
import type { Model } from "../../../src/domain/Model.ts"
import type { TaskPriority } from "../../../src/domain/Task.ts"
import { Clients } from "../service/Clients.ts"
import { useCommand } from "../service/useCommand.ts"
import { useQuery } from "../service/useQuery.ts"

interface NewTask {
  readonly description: string
  readonly files: ReadonlyArray<File>
  readonly priority: TaskPriority
  readonly model: Model | undefined
  readonly desktop: string
}

const fileOf = (file: File) =>
  Effect.promise(() => file.arrayBuffer()).pipe(
    Effect.map((bytes) => ({
      name: file.name,
      type: file.type === "" ? "application/octet-stream" : file.type,
      size: file.size,
      base64: Base64.encode(new Uint8Array(bytes))
    }))
  )

const create = ({ description, desktop, files, model, priority }: NewTask) =>
  Effect.gen(function* () {
    const { rest } = yield* Clients
    const payload = {
      description,
      priority,
      ...(model === undefined ? {} : { model }),
      ...(desktop === "" ? {} : { desktop }),
      ...(files.length === 0 ? {} : { files: yield* Effect.forEach(files, fileOf) })
    }
    return yield* rest.tasks.create({ payload })
  })

const models = Effect.gen(function* () {
  const { rest } = yield* Clients
  return yield* rest.models.list({})
})
const desktops = Effect.gen(function* () {
  const { rest } = yield* Clients
  return yield* rest.desktops.list({})
})

const priorities = ["LOW", "MEDIUM", "HIGH", "URGENT"] as const

const Chips = ({ files, remove }: { readonly files: ReadonlyArray<File>; readonly remove: (file: File) => void }) => (
  <ul className="chips" aria-label="Files">
    {files.map((file) => (
      <li key={`${file.name} ${file.lastModified}`}>
        {file.name}
        <button type="button" className="icon" aria-label={`Remove ${file.name}`} onClick={() => remove(file)}>
          <X size={14} aria-hidden="true" />
        </button>
      </li>
    ))}
  </ul>
)

/** A new task: what to do, with which files, on which model and desktop. Ctrl or Cmd with Enter creates it. */
export const Composer = () => {
  const navigate = useNavigate()
  const form = useRef<HTMLFormElement>(null)
  const [files, setFiles] = useState<ReadonlyArray<File>>([])
  const [dragging, setDragging] = useState(false)
  const offered = useQuery(models, "models")
  const known = useQuery(desktops, "desktops")
  const { busy, problem, run } = useCommand(create, ({ id }) => {
    form.current?.reset()
    setFiles([])
    void navigate({ to: "/tasks/$id", params: { id } })
  })

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const description = String(data.get("description")).trim()
    if (description === "") return
    const model = offered.value?.find(({ name, provider }) => `${provider}/${name}` === data.get("model"))
    const priority = priorities.find((priority) => priority === data.get("priority")) ?? "MEDIUM"
    run({ description, files, priority, model, desktop: String(data.get("desktop") ?? "") })
  }
  const add = (list: FileList | undefined | null) => setFiles((files) => [...files, ...(list ?? [])])
  const drop = (event: DragEvent) => {
    event.preventDefault()
    setDragging(false)
    add(event.dataTransfer.files)
  }
  const paste = (event: ClipboardEvent) => {
    if (event.clipboardData.files.length === 0) return
    event.preventDefault()
    add(event.clipboardData.files)
  }
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.current?.requestSubmit()
  }

  return (
    <form
      ref={form}
      className="composer card"
      data-dragging={dragging}
      onSubmit={submit}
      onDrop={drop}
      onPaste={paste}
      onDragOver={(event) => {
        event.preventDefault()
        setDragging(true)
      }}
      onDragLeave={() => setDragging(false)}
    >
      <textarea
        name="description"
        rows={3}
        required
        aria-label="What should the agent do?"
        placeholder="What should the agent do? Drop files here to send them along."
        onKeyDown={onKey}
      />
      {files.length > 0 && (
        <Chips files={files} remove={(file) => setFiles((files) => files.filter((other) => other !== file))} />
      )}
      {problem !== undefined && <p role="alert">{problem}</p>}
      <div className="choices">
        <label className="button quiet">
          <Paperclip size={16} aria-hidden="true" /> Files
          <input
            type="file"
            multiple
            className="visually-hidden"
            onChange={({ currentTarget }) => add(currentTarget.files)}
          />
        </label>
        <select name="model" aria-label="Model" defaultValue="">
          <option value="">Default model</option>
          {offered.value?.map(({ name, provider, title }) => (
            <option key={`${provider}/${name}`} value={`${provider}/${name}`}>
              {title}
            </option>
          ))}
        </select>
        <select name="priority" aria-label="Priority" defaultValue="MEDIUM">
          {priorities.map((priority) => (
            <option key={priority} value={priority}>
              {priority.charAt(0) + priority.slice(1).toLowerCase()} priority
            </option>
          ))}
        </select>
        {(known.value?.length ?? 0) > 1 && (
          <select name="desktop" aria-label="Desktop" defaultValue="">
            <option value="">Any desktop</option>
            {known.value?.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
        <button type="submit" className="primary" disabled={busy}>
          {busy ? "Creating…" : "Create task"}
        </button>
      </div>
    </form>
  )
}
