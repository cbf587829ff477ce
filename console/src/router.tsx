import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router"
import { DesktopsScreen } from "./screens/DesktopsScreen.tsx"
import { NotFoundScreen } from "./screens/NotFoundScreen.tsx"
import { SettingsScreen } from "./screens/SettingsScreen.tsx"
import { TaskScreen } from "./screens/TaskScreen.tsx"
import { TasksScreen } from "./screens/TasksScreen.tsx"
import { decodeFilters } from "./tasks/filters.ts"
import { Shell } from "./ui/Shell.tsx"

const root = createRootRoute({ component: Shell, notFoundComponent: NotFoundScreen })

export const tasksRoute = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: decodeFilters,
  component: TasksScreen
})
export const taskRoute = createRoute({ getParentRoute: () => root, path: "/tasks/$id", component: TaskScreen })
const desktopsRoute = createRoute({ getParentRoute: () => root, path: "/desktops", component: DesktopsScreen })
const settingsRoute = createRoute({ getParentRoute: () => root, path: "/settings", component: SettingsScreen })

export const router = createRouter({
  routeTree: root.addChildren([tasksRoute, taskRoute, desktopsRoute, settingsRoute]),
  basepath: new URL(document.baseURI).pathname.replace(/\/$/, ""),
  scrollRestoration: true
})

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router
  }
}
