/** Puts a program in TypeScript into one file of JavaScript, for worker threads: Node 20 can't read the sources. */
import { fileURLToPath } from "node:url";
import { build } from "vite";

/**
 * Bundles a module for Node.
 *
 * @param entry of the module
 * @returns the program as a data: URL, which `new Worker` takes
 */
export async function bundle(entry: URL): Promise<URL> {
  const output = await build({
    configFile: false,
    logLevel: "error",
    build: { write: false, minify: false, target: "es2022", ssr: fileURLToPath(entry) },
    ssr: { noExternal: true },
  });
  const chunks = "output" in output ? output.output : [];
  const [chunk, ...others] = chunks;
  if (chunk?.type !== "chunk" || others.length > 0) throw new Error("it isn't one file");
  return new URL(`data:text/javascript;base64,${Buffer.from(chunk.code).toString("base64")}`);
}
