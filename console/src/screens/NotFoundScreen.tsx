import { Link } from "@tanstack/react-router"

export const NotFoundScreen = () => (
  <section className="empty">
    <h1>There is no such page</h1>
    <Link to="/">All tasks</Link>
  </section>
)
