/**
 * Whose work a function is. An export belongs to the side that its name says, and so does what only that side's exports
 * reach. One call that does both halves' work begins as the driver's; from there on each change of side must show:
 * as a call of a function that is one side's, or as a `global.set` of the exported global "side".
 */
import { bodiesOf, EXPORTS_FUNCTION, EXPORTS_GLOBAL, instructionsOf, type Module } from "./module";

/** The sides as the host is told them, and as the global "side" names them. */
export const DRIVER = 1;
export const DEVICE = 2;

/** Exports that do the work of both. */
const FUSED = /roundTrip$/i;

/** The side that a call of an export begins on; 0: neither, as for set-up. */
export function sideOf(exported: string): number {
  if (FUSED.test(exported) || /driver/i.test(exported)) return DRIVER;
  return /device/i.test(exported) ? DEVICE : 0;
}

/** What a module's functions are. */
export interface Sides {
  /** The side of each function; 0: that of its caller, since both reach it, or it changes sides itself. */
  readonly ofFunction: readonly number[];
  /** Index of the global that marks a change of side. */
  readonly marker: number | undefined;
}

/**
 * Tells the sides of a module's functions.
 *
 * @throws Error when a fused call accesses memory where it can't be told on whose side
 */
export function sidesOf(module: Module): Sides {
  const bodies = bodiesOf(module).map(instructionsOf);
  const callees = bodies.map((body) => body.flatMap(({ callee }) => (callee === undefined ? [] : [callee])));
  const exports = module.exports.filter(({ kind }) => kind === EXPORTS_FUNCTION);
  const reach = (wanted: (text: string) => boolean): ReadonlySet<number> => {
    const reached = new Set<number>();
    const visit = (f: number) => {
      if (reached.has(f)) return;
      reached.add(f);
      for (const callee of callees[f] ?? []) visit(callee);
    };
    for (const { text, index } of exports) if (wanted(text)) visit(index);
    return reached;
  };
  const by = (side: number) => reach((text) => sideOf(text) === side && !FUSED.test(text));
  const [driver, device, fused] = [by(DRIVER), by(DEVICE), reach((text) => FUSED.test(text))];
  const ofFunction = bodies.map((_, f) =>
    driver.has(f) === device.has(f) ? 0 : driver.has(f) ? DRIVER : DEVICE,
  );
  const marker = module.exports.find(({ text, kind }) => kind === EXPORTS_GLOBAL && text === "side")?.index;
  for (const f of fused) {
    if (driver.has(f) || device.has(f)) continue;
    let isAtBeginning = true;
    let isMarked = false;
    for (const { access, bulk, callee, global } of bodies[f] ?? []) {
      if (global !== undefined && global === marker) isMarked = true;
      if (callee !== undefined && ofFunction[callee] !== 0) isAtBeginning = false;
      if (!isAtBeginning && !isMarked && (access ?? bulk) !== undefined)
        throw new Error(
          `function ${f} does the work of both sides, and doesn't mark where: set the global "side"`,
        );
    }
  }
  return { ofFunction, marker };
}
