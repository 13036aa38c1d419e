/** The parts of a WebAssembly module that instrumenting needs: its sections as they are, and what a few of them say. */
import { readInstruction } from "./opcodes";
import { WasmReader } from "./wasm-reader";

/** Section ids (core specification 2.0, 5.5.2). */
export const TYPE = 1;
export const IMPORT = 2;
export const FUNCTION = 3;
export const GLOBAL = 6;
export const EXPORT = 7;
export const CODE = 10;

/** What an export is (5.5.5). */
export const EXPORTS_FUNCTION = 0;
export const EXPORTS_GLOBAL = 3;

/** A module that imports no functions, so that function indices count from its first one. */
export interface Module {
  /** The first eight bytes. */
  readonly preamble: Uint8Array;
  readonly sections: ReadonlyMap<number, Uint8Array>;
  readonly order: readonly number[];
  /** Parameters of each type, and the type of each function. */
  readonly parameters: readonly number[];
  readonly functionTypes: readonly number[];
  readonly globals: number;
  readonly exports: readonly { readonly text: string; readonly kind: number; readonly index: number }[];
}

/** Takes a module apart; custom sections are left out. */
export function parse(bytes: Uint8Array): Module {
  const reader = new WasmReader(bytes, 8);
  const sections = new Map<number, Uint8Array>();
  const order: number[] = [];
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const size = reader.u32();
    if (id !== 0) {
      sections.set(id, bytes.subarray(reader.at, reader.at + size));
      order.push(id);
    }
    reader.skip(size);
  }
  const section = (id: number) => new WasmReader(sections.get(id) ?? Uint8Array.of(0));
  const [types, functions, exported] = [section(TYPE), section(FUNCTION), section(EXPORT)];
  return {
    preamble: bytes.subarray(0, 8),
    sections,
    order,
    parameters: types.list(() => {
      types.byte();
      const parameters = types.u32();
      types.skip(parameters);
      types.skip(types.u32());
      return parameters;
    }),
    functionTypes: functions.list(() => functions.u32()),
    globals: section(GLOBAL).u32(),
    exports: exported.list(() => ({ text: exported.name(), kind: exported.byte(), index: exported.u32() })),
  };
}

/** The body of each function, its length in front left out. */
export function bodiesOf({ sections }: Module): Uint8Array[] {
  const reader = new WasmReader(sections.get(CODE) ?? Uint8Array.of(0));
  return reader.list(() => {
    const size = reader.u32();
    reader.skip(size);
    return reader.bytes.subarray(reader.at - size, reader.at);
  });
}

/** A reader of a body that stands behind the locals; their number and the bytes that declare them. */
export function enterBody(body: Uint8Array): {
  reader: WasmReader;
  locals: number;
  declarations: Uint8Array;
  groups: number;
} {
  const reader = new WasmReader(body);
  const groups = reader.u32();
  const from = reader.at;
  let locals = 0;
  for (let i = 0; i < groups; i++) {
    locals += reader.u32();
    reader.byte();
  }
  return { reader, locals, groups, declarations: body.subarray(from, reader.at) };
}

/** The instructions of a body, in the order in which they stand there. */
export function instructionsOf(body: Uint8Array) {
  const { reader } = enterBody(body);
  const instructions: ReturnType<typeof readInstruction>[] = [];
  while (reader.at < body.length) instructions.push(readInstruction(reader));
  return instructions;
}
