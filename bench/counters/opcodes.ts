/**
 * The instructions of WebAssembly by what follows their opcode, and which of them touch memory: the core
 * specification's index of instructions, with SIMD and threads.
 */
import type { WasmReader } from "./wasm-reader";

export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
export const ELSE = 0x05;
export const END = 0x0b;
export const BR = 0x0c;
export const BR_TABLE = 0x0e;
export const RETURN = 0x0f;
export const CALL = 0x10;
const GLOBAL_SET = 0x24;
export const I32_CONST = 0x41;
const MISC = 0xfc;
const SIMD = 0xfd;
const ATOMIC = 0xfe;

export const I32 = 0x7f;
export const I64 = 0x7e;
const F32 = 0x7d;
const F64 = 0x7c;
const V128 = 0x7b;

/** What an instruction does to memory; operands are those above the address. */
export interface Access {
  readonly loads: boolean;
  readonly stores: boolean;
  readonly bytes: number;
  /** Value types on the stack above the address. */
  readonly operands: readonly number[];
  /** Its static offset. */
  readonly offset: number;
}

/** One instruction, its bytes being from…to. */
export interface Instruction {
  readonly opcode: number;
  readonly access?: Access;
  /** `memory.copy` or `memory.fill`: their operands are three i32. */
  readonly bulk?: "copy" | "fill";
  /** The function that a `call` names. */
  readonly callee?: number;
  /** The global that a `global.set` names. */
  readonly global?: number;
}

type Kind = readonly [bytes: number, stored: number | undefined];

const LOADS_AND_STORES: readonly Kind[] = [
  ...[4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4].map((bytes): Kind => [bytes, undefined]),
  ...([
    [4, I32],
    [8, I64],
    [4, F32],
    [8, F64],
    [1, I32],
    [2, I32],
    [1, I64],
    [2, I64],
    [4, I64],
  ] as const),
];
const ATOMIC_WIDTHS: readonly (readonly [number, number])[] = [
  [4, I32],
  [8, I64],
  [1, I32],
  [2, I32],
  [1, I64],
  [2, I64],
  [4, I64],
];
const SIMD_LOADS = [16, 8, 8, 8, 8, 8, 8, 1, 2, 4, 8];
const LANES = [1, 2, 4, 8];

/** Reads one instruction; the reader then stands behind it. */
export function readInstruction(reader: WasmReader): Instruction {
  const opcode = reader.byte();
  switch (opcode) {
    case BLOCK:
    case LOOP:
    case IF:
      reader.skipLeb();
      return { opcode };
    case CALL:
      return { opcode, callee: reader.u32() };
    case GLOBAL_SET:
      return { opcode, global: reader.u32() };
    case BR_TABLE:
      for (let left = reader.u32(); left >= 0; left--) reader.u32();
      return { opcode };
    case 0x11:
      throw new Error("call_indirect: whose side it runs on can't be told");
    case 0x1c:
      reader.skip(reader.u32());
      return { opcode };
    case 0x43:
      reader.skip(4);
      return { opcode };
    case 0x44:
      reader.skip(8);
      return { opcode };
    case MISC:
      return readMisc(reader);
    case SIMD:
      return readSimd(reader);
    case ATOMIC:
      return readAtomic(reader);
  }
  const kind = LOADS_AND_STORES[opcode - 0x28];
  if (opcode >= 0x28 && kind !== undefined) return { opcode, access: plainAccess(reader, kind) };
  const isWithIndex =
    opcode === BR ||
    opcode === 0x0d ||
    (opcode >= 0x20 && opcode <= 0x26) ||
    opcode === 0x3f ||
    opcode === 0x40;
  if (isWithIndex || opcode === I32_CONST || opcode === 0x42 || opcode >= 0xd0) reader.skipLeb();
  return { opcode };
}

function plainAccess(reader: WasmReader, [bytes, stored]: Kind): Access {
  const offset = memarg(reader);
  return {
    loads: stored === undefined,
    stores: stored !== undefined,
    bytes,
    operands: stored ? [stored] : [],
    offset,
  };
}

function memarg(reader: WasmReader): number {
  reader.u32();
  return reader.u32();
}

function readMisc(reader: WasmReader): Instruction {
  const sub = reader.u32();
  if (sub === 10) {
    reader.skip(2);
    return { opcode: MISC, bulk: "copy" };
  }
  if (sub === 11) {
    reader.skip(1);
    return { opcode: MISC, bulk: "fill" };
  }
  if (sub > 7) throw new Error(`instruction 0xfc ${sub}: not known to the counters`);
  return { opcode: MISC };
}

function readSimd(reader: WasmReader): Instruction {
  const sub = reader.u32();
  const access = simdAccess(reader, sub);
  if (sub === 12 || sub === 13) reader.skip(16);
  if (sub >= 21 && sub <= 34) reader.skip(1);
  return access === undefined ? { opcode: SIMD } : { opcode: SIMD, access };
}

function simdAccess(reader: WasmReader, sub: number): Access | undefined {
  if (sub <= 10) return plainAccess(reader, [SIMD_LOADS[sub] as number, undefined]);
  if (sub === 11) return plainAccess(reader, [16, V128]);
  if (sub >= 84 && sub <= 91) {
    const offset = memarg(reader);
    reader.skip(1);
    const loads = sub < 88;
    return { loads, stores: !loads, bytes: LANES[(sub - 84) % 4] as number, operands: [V128], offset };
  }
  if (sub === 92 || sub === 93) return plainAccess(reader, [sub === 92 ? 4 : 8, undefined]);
  return undefined;
}

function readAtomic(reader: WasmReader): Instruction {
  const sub = reader.u32();
  if (sub === 3) {
    reader.skip(1);
    return { opcode: ATOMIC };
  }
  const offset = memarg(reader);
  if (sub < 0x10) return { opcode: ATOMIC }; // notify and wait: neither a load nor a store
  const [bytes, type] = ATOMIC_WIDTHS[(sub - 0x10) % 7] as readonly [number, number];
  if (sub < 0x17)
    return { opcode: ATOMIC, access: { loads: true, stores: false, bytes, operands: [], offset } };
  if (sub < 0x1e)
    return { opcode: ATOMIC, access: { loads: false, stores: true, bytes, operands: [type], offset } };
  const operands = sub < 0x48 ? [type] : [type, type];
  return { opcode: ATOMIC, access: { loads: true, stores: true, bytes, operands, offset } };
}
