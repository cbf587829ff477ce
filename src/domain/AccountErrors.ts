import { Schema } from "effect"

/** The request needs a login (401). */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", {}, { httpApiStatus: 401 }) {
  override get message(): string {
    return "Unauthorized"
  }
}

/** The caller is known and may not do that; the message says why (403). */
export class Forbidden extends Schema.TaggedError<Forbidden>()(
  "Forbidden",
  { message: Schema.String },
  { httpApiStatus: 403 }
) {}

/** No key of the caller's has this id (404). */
export class ApiKeyNotFound extends Schema.TaggedError<ApiKeyNotFound>()(
  "ApiKeyNotFound",
  { id: Schema.String },
  { httpApiStatus: 404 }
) {
  override get message(): string {
    return `API key with ID ${this.id} not found`
  }
}

/** There are no accounts here (404). */
export class AccountsOff extends Schema.TaggedError<AccountsOff>()("AccountsOff", {}, { httpApiStatus: 404 }) {
  override get message(): string {
    return "Accounts are off: set AUTH_ENABLED=true"
  }
}
