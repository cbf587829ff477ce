import { defineConfig } from "vite"

/** Relative addresses: the service may be mounted below a path, and sets the base of each page. */
export default defineConfig({
  base: "./",
  root: import.meta.dirname,
  publicDir: "public",
  build: {
    outDir: "../dist/console",
    emptyOutDir: true,
    target: "es2022",
    // Nothing is inlined: the Content-Security-Policy allows no data: scripts or fonts.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
    rolldownOptions: { checks: { moduleLevelDirective: false } }
  }
})
