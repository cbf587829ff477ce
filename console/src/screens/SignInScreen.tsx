import type { FormEvent } from "react"
import { signIn } from "../service/session.ts"
import { useCommand } from "../service/useCommand.ts"

export const SignInScreen = () => {
  const { busy, problem, run } = useCommand(signIn)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    run({ email: String(data.get("email")), password: String(data.get("password")) })
  }
  return (
    <main className="sign-in">
      <form onSubmit={submit} className="card">
        <img src="./icon.svg" alt="" width="40" height="40" />
        <h1>Sign in</h1>
        <label>
          Email
          <input name="email" type="email" autoComplete="username" required />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        {problem !== undefined && <p role="alert">{problem}</p>}
        <button type="submit" className="primary" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </main>
  )
}
