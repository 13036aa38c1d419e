/** The shared build as it would be without atomics: every atomic load and store replaced by its plain counterpart. */
import { readInstruction } from "../../bench/counters/opcodes";
import { WasmReader } from "../../bench/counters/wasm-reader";

const CODE = 10;
const ATOMIC = 0xfe;
const NOP = 0x01;
/** From i32.atomic.load to i64.atomic.store32, and what stands for each. */
const FIRST = 0x10;
const PLAIN = [0x28, 0x29, 0x2d, 0x2f, 0x31, 0x33, 0x35, 0x36, 0x37, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e];

/**
 * Rewrites a module; sizes stay as they are.
 *
 * @returns its bytes, and how many accesses were made plain
 */
export function plainTwin(module: Uint8Array<ArrayBuffer>): {
  bytes: Uint8Array<ArrayBuffer>;
  replaced: number;
} {
  const bytes = module.slice();
  const reader = new WasmReader(bytes, 8);
  let replaced = 0;
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const size = reader.u32();
    const end = reader.at + size;
    if (id === CODE) replaced += rewriteCode(reader);
    reader.at = end;
  }
  return { bytes, replaced };
}

function rewriteCode(reader: WasmReader): number {
  let replaced = 0;
  for (let functions = reader.u32(); functions > 0; functions--) {
    const size = reader.u32();
    const end = reader.at + size;
    for (let groups = reader.u32(); groups > 0; groups--) {
      reader.u32();
      reader.byte();
    }
    while (reader.at < end) {
      const from = reader.at;
      const { opcode, access } = readInstruction(reader);
      if (opcode !== ATOMIC || access === undefined) continue;
      const plain = PLAIN[(reader.bytes[from + 1] as number) - FIRST];
      if (plain === undefined) throw new Error("an atomic access that is neither a load nor a store");
      const memarg = reader.bytes.slice(from + 2, reader.at);
      reader.bytes.set([plain, ...memarg, NOP], from);
      replaced++;
    }
  }
  return replaced;
}
