/**
 * As much of a WebAssembly binary as a test of its outside needs: section ids, imports, exports, function types.
 * WebAssembly core specification 2.0, chapter 5 (binary format).
 */
import { WasmReader } from "../../bench/counters/wasm-reader";

/** Section ids (5.5.2). */
export const SECTION = {
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  export: 7,
  start: 8,
  element: 9,
  data: 11,
  dataCount: 12,
} as const;
/** What an import or export is (5.5.5). */
export const KIND = ["function", "table", "memory", "global"] as const;
/** The value type i32 (5.3.1). */
export const I32 = 0x7f;

export interface WasmOutside {
  /** Ids of the sections that are there, custom ones (0) left out. */
  readonly sections: readonly number[];
  /** Bytes of each section by id. */
  readonly sizes: ReadonlyMap<number, number>;
  readonly imports: readonly { module: string; name: string; kind: string; memory?: MemoryLimits }[];
  readonly exports: readonly { name: string; kind: string; params: number[]; results: number[] }[];
}

/** Pages of 64 KiB; `maximum` undefined: none is declared. */
export interface MemoryLimits {
  readonly initial: number;
  readonly maximum: number | undefined;
  readonly shared: boolean;
}

function readLimits(reader: WasmReader): MemoryLimits {
  const flags = reader.byte();
  const initial = reader.u32();
  return { initial, maximum: flags & 1 ? reader.u32() : undefined, shared: (flags & 2) !== 0 };
}

/** Reads the sections of a binary module. */
export function readOutside(bytes: Uint8Array): WasmOutside {
  const sizes = new Map<number, number>();
  const bodies = new Map<number, number>();
  const file = new WasmReader(bytes, 8);
  while (file.at < bytes.length) {
    const id = file.byte();
    const size = file.u32();
    sizes.set(id, size);
    bodies.set(id, file.at);
    file.at += size;
  }
  const section = <T>(id: number, item: (reader: WasmReader) => T): T[] => {
    const at = bodies.get(id);
    if (at === undefined) return [];
    const reader = new WasmReader(bytes, at);
    return reader.list(() => item(reader));
  };
  const types = section(SECTION.type, (reader) => {
    reader.byte(); // 0x60, a function type
    return { params: reader.list(() => reader.byte()), results: reader.list(() => reader.byte()) };
  });
  const functions = section(SECTION.function, (reader) => reader.u32());
  const imports = section(SECTION.import, (reader) => {
    const module = reader.name();
    const name = reader.name();
    const kind = KIND[reader.byte()] ?? "?";
    if (kind !== "memory") throw new Error(`an import that is no memory: ${module}.${name}, ${kind}`);
    return { module, name, kind, memory: readLimits(reader) };
  });
  const exports = section(SECTION.export, (reader) => {
    const name = reader.name();
    const kind = KIND[reader.byte()] ?? "?";
    const index = reader.u32();
    const type = kind === "function" ? types[functions[index] ?? -1] : undefined;
    return { name, kind, params: type?.params ?? [], results: type?.results ?? [] };
  });
  return { sections: [...sizes.keys()].filter((id) => id !== 0), sizes, imports, exports };
}
