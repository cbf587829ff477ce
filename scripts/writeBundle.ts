import type { rolldown as Rolldown } from "rolldown"

/** Stay outside: Socket.IO serves files of its own folder, and its parts must be the same for it and for us. sharp is optional, and native. */
const external = ["socket.io", "socket.io-adapter", "engine.io", "sharp"]

/**
 * Bundles programs, given by the names of their bundles, into a folder as deep as `src/NAME/`: so `migrations` is where the modules look
 * for it, and packages are found. Gives the paths of all modules in it.
 */
export const writeBundle = async (
  rolldown: typeof Rolldown,
  programs: Readonly<Record<string, string>>,
  folder: string
): Promise<ReadonlyArray<string>> => {
  const bundle = await rolldown({ input: { ...programs }, platform: "node", external, logLevel: "silent" })
  const { output } = await bundle.write({ dir: folder, cleanDir: true, format: "esm" })
  await bundle.close()
  return output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []))
}
