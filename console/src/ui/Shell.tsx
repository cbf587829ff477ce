import { Link, Outlet } from "@tanstack/react-router"
import { ListTodo, MonitorSmartphone, Settings } from "lucide-react"
import { SignInScreen } from "../screens/SignInScreen.tsx"
import { useConnection } from "../service/connection.ts"
import { useSession } from "../service/session.ts"

const places = [
  { to: "/", label: "Tasks", Icon: ListTodo },
  { to: "/desktops", label: "Desktops", Icon: MonitorSmartphone },
  { to: "/settings", label: "Settings", Icon: Settings }
] as const

/** What every screen has: the places to go to, and a banner while the service is away. */
export const Shell = () => {
  const session = useSession()
  const connection = useConnection()
  if (session.kind === "asking") return <output className="loading">Connecting…</output>
  if (session.kind === "signedOut") return <SignInScreen />
  return (
    <div className="shell" data-connection={connection}>
      <nav className="rail" aria-label="Main">
        <span className="brand" aria-hidden="true">
          <img src="./icon.svg" alt="" width="28" height="28" />
        </span>
        {places.map(({ Icon, label, to }) => (
          <Link key={to} to={to} className="place" activeOptions={{ exact: to === "/", includeSearch: false }}>
            <Icon size={20} aria-hidden="true" />
            <span>{label}</span>
          </Link>
        ))}
        {session.user !== undefined && (
          <form className="who" method="post" onSubmit={session.signOut}>
            <span title={session.user}>{session.user}</span>
            <button type="submit" className="quiet">
              Sign out
            </button>
          </form>
        )}
      </nav>
      <main className="page">
        {connection === "lost" && (
          <div className="banner" role="status">
            The service does not answer. What you see may be old; it goes on by itself.
          </div>
        )}
        <Outlet />
      </main>
    </div>
  )
}
