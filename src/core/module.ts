/**
 * The embedded modules: decoded and compiled once, on first use. Nothing happens at import.
 * `release` works on an ordinary memory, `shared` on a shared one; both come from one source.
 */
import { WASM_BASE64 as releaseBase64 } from "./virtq-release.generated";
import { WASM_BASE64 as sharedBase64 } from "./virtq-shared.generated";

const compiled: { release?: WebAssembly.Module; shared?: WebAssembly.Module } = {};

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Bytes of the embedded module of a build. */
export function embeddedBytes(build: "release" | "shared"): Uint8Array<ArrayBuffer> {
  return decode(build === "shared" ? sharedBase64 : releaseBase64);
}

/** The embedded module of a build, compiled on the calling thread if it wasn't yet. */
export function embeddedModuleSync(build: "release" | "shared"): WebAssembly.Module {
  compiled[build] ??= new WebAssembly.Module(embeddedBytes(build));
  return compiled[build];
}

/** The embedded module of a build, compiled in the background if it wasn't yet. */
export async function embeddedModule(build: "release" | "shared"): Promise<WebAssembly.Module> {
  compiled[build] ??= await WebAssembly.compile(embeddedBytes(build));
  return compiled[build];
}
