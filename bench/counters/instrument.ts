/**
 * Instruments a module of the ring core: the very instructions that are shipped, and between them calls that tell of
 * each access to memory, a counter for each run of straight-line code, and a mark where one side calls into the other.
 *
 * Host imports, module "count": load and store (address, offset, bytes), copy (target, source, bytes),
 * fill (target, bytes), enter (side), leave (), change (side). The i64 global "instructions" is exported.
 */
import { bodiesOf, CODE, EXPORT, enterBody, GLOBAL, IMPORT, type Module, parse, TYPE } from "./module";
import {
  BLOCK,
  BR,
  BR_TABLE,
  CALL,
  ELSE,
  END,
  I32,
  I32_CONST,
  I64,
  type Instruction,
  LOOP,
  RETURN,
  readInstruction,
} from "./opcodes";
import { type Sides, sidesOf } from "./sides";
import { name, s32, u32, vector, WasmReader } from "./wasm-reader";

/** Host functions in the order of their indices, with the number of i32 that they take. */
const HOST = [
  ["load", 3],
  ["store", 3],
  ["copy", 3],
  ["fill", 2],
  ["enter", 1],
  ["leave", 0],
  ["change", 1],
] as const;
const hostIndex = (host: (typeof HOST)[number][0]): number => HOST.findIndex(([known]) => known === host);
const callHost = (host: (typeof HOST)[number][0]): number[] => [CALL, ...u32(hostIndex(host))];

/** Values that an access's operands wait in while the host is told: a local of each type. */
const LOCAL_TYPES = [I32, I64, 0x7d, 0x7c, 0x7b, I32, I64, I32];
const ADDRESS_LOCAL = 7;

/**
 * Instruments a module that imports nothing but its memory.
 *
 * @throws Error for instructions that can't be counted
 */
export function instrument(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const module = parse(bytes);
  const sides = sidesOf(module);
  const out = [...module.preamble];
  for (const id of module.order) {
    const body = module.sections.get(id) as Uint8Array;
    const changed = changedSection(id, body, module, sides);
    out.push(id, ...u32(changed.length));
    for (const byte of changed) out.push(byte);
  }
  return Uint8Array.from(out);
}

function changedSection(
  id: number,
  body: Uint8Array,
  module: Module,
  sides: Sides,
): Iterable<number> & ArrayLike<number> {
  switch (id) {
    case TYPE:
      return appended(
        body,
        HOST.length,
        HOST.flatMap(([, count]) => [0x60, ...vector(Array(count).fill(I32)), 0]),
      );
    case IMPORT: {
      const entry = ([host]: (typeof HOST)[number], i: number) => [
        ...name("count"),
        ...name(host),
        0,
        ...u32(module.parameters.length + i),
      ];
      return appended(body, HOST.length, HOST.flatMap(entry));
    }
    case GLOBAL:
      return appended(body, 1, [I64, 1, 0x42, 0, END]);
    case EXPORT:
      return exportSection(module);
    case CODE:
      return codeSection(module, sides);
    default:
      return body;
  }
}

/** A section that is a vector, with more entries at its end. */
function appended(body: Uint8Array, count: number, entries: readonly number[]): number[] {
  const reader = new WasmReader(body);
  const before = reader.u32();
  return [...u32(before + count), ...body.subarray(reader.at), ...entries];
}

function exportSection({ exports, globals }: Module): number[] {
  const entry = (text: string, kind: number, index: number) => [...name(text), kind, ...u32(index)];
  return [
    ...u32(exports.length + 1),
    ...exports.flatMap(({ text, kind, index }) =>
      entry(text, kind, kind === 0 ? index + HOST.length : index),
    ),
    ...entry("instructions", 3, globals),
  ];
}

function codeSection(module: Module, sides: Sides): number[] {
  const bodies = bodiesOf(module);
  const out = u32(bodies.length);
  for (const [f, body] of bodies.entries()) {
    const code = functionBody(body, f, module, sides);
    out.push(...u32(code.length));
    for (const byte of code) out.push(byte);
  }
  return out;
}

function functionBody(body: Uint8Array, f: number, module: Module, sides: Sides): number[] {
  const { reader, groups, declarations, locals: declared } = enterBody(body);
  const locals = declared + (module.parameters[module.functionTypes[f] as number] as number);
  const out = [
    ...u32(groups + LOCAL_TYPES.length),
    ...declarations,
    ...LOCAL_TYPES.flatMap((type) => [1, type]),
  ];
  // A run of straight-line code waits until its length is known.
  let run: number[] = [];
  let length = 0;
  const endRun = () => {
    if (length > 0) {
      const global = u32(module.globals);
      out.push(0x23, ...global, 0x42, ...s32(length), 0x7c, 0x24, ...global);
    }
    for (const byte of run) out.push(byte);
    run = [];
    length = 0;
  };
  while (reader.at < body.length) {
    const from = reader.at;
    const instruction = readInstruction(reader);
    const text = body.subarray(from, reader.at);
    if (!isStructure(instruction.opcode)) length++;
    run.push(...instrumented(instruction, text, locals, sides, sides.ofFunction[f] as number));
    if (endsRun(instruction.opcode)) endRun();
  }
  endRun();
  return out;
}

/** Instructions that only shape the code: no engine executes anything for them. */
function isStructure(opcode: number): boolean {
  return opcode === BLOCK || opcode === LOOP || opcode === ELSE || opcode === END;
}

/** Behind these, code may go on elsewhere, or come from elsewhere. */
function endsRun(opcode: number): boolean {
  return (
    (opcode >= LOOP && opcode <= ELSE) ||
    opcode === END ||
    (opcode >= BR && opcode <= RETURN) ||
    opcode === BR_TABLE
  );
}

function instrumented(
  { access, bulk, callee, global }: Instruction,
  text: Uint8Array,
  locals: number,
  sides: Sides,
  ownSide: number,
): number[] {
  const local = (i: number) => u32(locals + i);
  const get = (i: number) => [0x20, ...local(i)];
  const set = (i: number) => [0x21, ...local(i)];
  if (callee !== undefined) {
    const call = [CALL, ...u32(callee + HOST.length)];
    const side = sides.ofFunction[callee] as number;
    if (side === 0 || side === ownSide) return call;
    return [I32_CONST, ...s32(side), ...callHost("enter"), ...call, ...callHost("leave")];
  }
  if (global !== undefined && global === sides.marker) {
    return [
      ...set(ADDRESS_LOCAL),
      ...get(ADDRESS_LOCAL),
      ...callHost("change"),
      ...get(ADDRESS_LOCAL),
      ...text,
    ];
  }
  if (bulk !== undefined) {
    const told =
      bulk === "copy" ? [...get(ADDRESS_LOCAL), ...get(5), ...get(0)] : [...get(ADDRESS_LOCAL), ...get(0)];
    return [
      ...set(0),
      ...set(5),
      ...set(ADDRESS_LOCAL),
      ...told,
      ...callHost(bulk),
      ...get(ADDRESS_LOCAL),
      ...get(5),
      ...get(0),
      ...text,
    ];
  }
  if (access === undefined) return [...text];
  // The operands above the address wait in locals of their types; the second of two i32 or i64 in 5 or 6.
  const [first, second] = access.operands.map((type, i) =>
    i === 0 ? LOCAL_TYPES.indexOf(type) : type === I32 ? 5 : 6,
  );
  const told = [...get(ADDRESS_LOCAL), I32_CONST, ...s32(access.offset), I32_CONST, ...s32(access.bytes)];
  const tell = (host: "load" | "store") => [...told, ...callHost(host)];
  return [
    ...(second === undefined ? [] : set(second)),
    ...(first === undefined ? [] : set(first)),
    ...set(ADDRESS_LOCAL),
    ...(access.loads ? tell("load") : []),
    ...(access.stores ? tell("store") : []),
    ...get(ADDRESS_LOCAL),
    ...(first === undefined ? [] : get(first)),
    ...(second === undefined ? [] : get(second)),
    ...text,
  ];
}
