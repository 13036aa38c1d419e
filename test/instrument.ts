/**
 * The ring core with a hook at every load and store: binaryen's instrument-memory pass over the embedded release module. For
 * tests of the order of accesses, of double fetches, of races between two of them, and of memory that nobody may touch.
 */
import binaryen from "binaryen";
import { embeddedBytes } from "../src/core/module";
import { type Backend, backend } from "./rings";
import { makeWasmRings, wasmMemory } from "./wasm-rings";

/** One load or store by the core: linear address and width in bytes. */
export interface Access {
  readonly kind: "load" | "store";
  readonly address: number;
  readonly bytes: number;
}

/** What the core did to its memory while recording was on. */
export class AccessLog {
  readonly accesses: Access[] = [];
  #recording = false;
  #after: { readonly matches: (access: Access) => boolean; readonly act: () => void }[] = [];
  #due: (() => void) | undefined;

  /** Forgets what there is and records what `action` does. */
  record<T>(action: () => T): T {
    this.accesses.length = 0;
    this.#recording = true;
    try {
      return action();
    } finally {
      this.#recording = false;
      this.#after = [];
      this.#due?.();
      this.#due = undefined;
    }
  }

  /** While recording: once the first access that matches has happened, before the next one. */
  onceAfter(matches: (access: Access) => boolean, act: () => void): void {
    this.#after.push({ matches, act });
  }

  /** @internal Called before each access. */
  note(kind: Access["kind"], bytes: number, address: number): void {
    if (!this.#recording) return;
    const due = this.#due;
    this.#due = undefined;
    due?.();
    const access = { kind, address, bytes };
    this.accesses.push(access);
    const at = this.#after.findIndex((hook) => hook.matches(access));
    if (at >= 0) this.#due = this.#after.splice(at, 1)[0]?.act;
  }

  /** Accesses of one kind in [base, base + bytes), in order, with addresses relative to `base`. */
  within(kind: Access["kind"], base: number, bytes: number): Access[] {
    return this.accesses
      .filter((a) => a.kind === kind && a.address >= base && a.address < base + bytes)
      .map((a) => ({ ...a, address: a.address - base }));
  }
}

let compiled: WebAssembly.Module | undefined;

/** The instrumented module, made on first use. */
function instrumentedModule(): WebAssembly.Module {
  if (compiled) return compiled;
  const module = binaryen.readBinary(embeddedBytes("release"));
  module.setFeatures(
    binaryen.Features.BulkMemory | binaryen.Features.BulkMemoryOpt | binaryen.Features.MutableGlobals,
  );
  module.runPasses(["instrument-memory"]);
  compiled = new WebAssembly.Module(module.emitBinary() as Uint8Array<ArrayBuffer>);
  module.dispose();
  return compiled;
}

/** A backend whose accesses are noted in the log that comes with it. */
export function instrumentedBackend(): Backend & { readonly log: AccessLog } {
  const log = new AccessLog();
  const pointer = (kind: Access["kind"]) => (_: number, bytes: number, offset: number, address: number) => {
    log.note(kind, bytes, (offset >>> 0) + (address >>> 0));
    return address;
  };
  const value = <T>(_: number, it: T): T => it;
  const env = {
    load_ptr: pointer("load"),
    store_ptr: pointer("store"),
    ...Object.fromEntries(
      ["load", "store"].flatMap((kind) =>
        ["i32", "i64", "f32", "f64"].map((type) => [`${kind}_val_${type}`, value]),
      ),
    ),
    memory_grow_pre: value,
    memory_grow_post: value,
  };
  const instantiate = (memory: WebAssembly.Memory) =>
    new WebAssembly.Instance(instrumentedModule(), { env: { ...env, memory } });
  return { ...backend("instrumented", makeWasmRings, (bytes) => wasmMemory(bytes, false, instantiate)), log };
}
