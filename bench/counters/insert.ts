/** Puts code into a copy of a module, where an export begins: to see that what measures and counts notices. */
import { bodiesOf, CODE, EXPORTS_FUNCTION, enterBody, type Module, parse } from "./module";
import { u32 } from "./wasm-reader";

/**
 * A copy of a module in which a function does something more first.
 *
 * @param exported the function, by the name that it is exported under
 * @param code instructions that leave the stack as it is
 * @throws Error when no function is exported so
 */
export function insertAtStart(
  bytes: Uint8Array,
  exported: string,
  code: readonly number[],
): Uint8Array<ArrayBuffer> {
  const module = parse(bytes);
  const f = module.exports.find(({ text, kind }) => kind === EXPORTS_FUNCTION && text === exported)?.index;
  if (f === undefined) throw new Error(`no function is exported as ${exported}`);
  const out = [...module.preamble];
  for (const id of module.order) {
    const body = id === CODE ? withCode(module, f, code) : (module.sections.get(id) as Uint8Array);
    out.push(id, ...u32(body.length), ...body);
  }
  return Uint8Array.from(out);
}

function withCode(module: Module, f: number, code: readonly number[]): number[] {
  const bodies = bodiesOf(module);
  const out = u32(bodies.length);
  for (const [index, body] of bodies.entries()) {
    const { reader } = enterBody(body);
    const behind = index === f ? code : [];
    out.push(...u32(body.length + behind.length), ...body.subarray(0, reader.at), ...behind);
    out.push(...body.subarray(reader.at));
  }
  return out;
}
