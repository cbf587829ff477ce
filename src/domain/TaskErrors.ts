import { Schema } from "effect"

/** No task has this id (404). */
export class TaskNotFound extends Schema.TaggedError<TaskNotFound>()(
  "TaskNotFound",
  { id: Schema.String },
  { httpApiStatus: 404 }
) {
  override get message(): string {
    return `Task with ID ${this.id} not found`
  }
}

/** A takeover of a task that the user controls already (400). */
export class TaskNotUnderAgentControl extends Schema.TaggedError<TaskNotUnderAgentControl>()(
  "TaskNotUnderAgentControl",
  { id: Schema.String },
  { httpApiStatus: 400 }
) {
  override get message(): string {
    return `Task ${this.id} is not under agent control`
  }
}

/** A takeover of a task whose desktop another person controls, for a task that is not finished (409). */
export class DesktopHeld extends Schema.TaggedError<DesktopHeld>()(
  "DesktopHeld",
  { id: Schema.String },
  { httpApiStatus: 409 }
) {
  override get message(): string {
    return `Another person controls the desktop of task ${this.id}. Take the task over once that person has handed the desktop back`
  }
}

/** A resume of a task that the agent controls already (400). */
export class TaskNotUnderUserControl extends Schema.TaggedError<TaskNotUnderUserControl>()(
  "TaskNotUnderUserControl",
  { id: Schema.String },
  { httpApiStatus: 400 }
) {
  override get message(): string {
    return `Task ${this.id} is not under user control`
  }
}

/** A cancel of a task that is over (400). */
export class TaskAlreadyFinished extends Schema.TaggedError<TaskAlreadyFinished>()(
  "TaskAlreadyFinished",
  { id: Schema.String },
  { httpApiStatus: 400 }
) {
  override get message(): string {
    return `Task ${this.id} is already completed, failed, or cancelled`
  }
}

/** A task without a model, and no model configured that could be its default (400). */
export class NoModelConfigured extends Schema.TaggedError<NoModelConfigured>()(
  "NoModelConfigured",
  {},
  { httpApiStatus: 400 }
) {
  override get message(): string {
    return "No model given and none configured: set ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY or BYTEBOT_LLM_PROXY_URL"
  }
}

/** The request asks for something we can't do, in words for the client (400). */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()(
  "InvalidRequest",
  { message: Schema.String },
  { httpApiStatus: 400 }
) {}

/** The LLM proxy did not give its list of models (502). */
export class ModelsUnavailable extends Schema.TaggedError<ModelsUnavailable>()(
  "ModelsUnavailable",
  { message: Schema.String },
  { httpApiStatus: 502 }
) {}

/** The database can't be reached or used right now; trying again later makes sense (503). */
export class DatabaseUnavailable extends Schema.TaggedError<DatabaseUnavailable>()(
  "DatabaseUnavailable",
  { reason: Schema.String },
  { httpApiStatus: 503 }
) {
  override get message(): string {
    return "The database is not available right now"
  }
}
