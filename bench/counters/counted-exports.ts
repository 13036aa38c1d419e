/** The core's exports as an instrumented module has them: each call on its side, each access told to the agents. */
import type { Core } from "../../src/core/core";
import type { CoreExports } from "../../src/core/exports";
import type { Agents } from "./agents";
import { sideOf } from "./sides";

/** The exports of an instrumented module, each on its side; nobody is told before `connect`. */
export function countedExports(
  core: Core,
  module: WebAssembly.Module,
  counts: Record<number, number>,
): { exports: CoreExports; connect: (watching: Agents) => void } {
  let agents: Agents | undefined;
  let before = 0n;
  const sides: number[] = [];
  const side = (): number => {
    const current = sides.at(-1);
    if (current === undefined || current === 0) throw new Error("an access that belongs to no side");
    return current;
  };
  /** Books what was executed since the last change of sides. */
  const book = () => {
    const now = (instance.exports.instructions as WebAssembly.Global).value as bigint;
    const current = sides.at(-1);
    if (agents !== undefined && current) counts[current] = (counts[current] as number) + Number(now - before);
    before = now;
  };
  const enter = (next: number) => {
    book();
    sides.push(next);
  };
  const leave = () => {
    book();
    sides.pop();
  };
  const count = {
    load: (address: number, offset: number, bytes: number) =>
      agents?.load(side(), (address >>> 0) + offset, bytes),
    store: (address: number, offset: number, bytes: number) =>
      agents?.store(side(), (address >>> 0) + offset, bytes),
    copy: (target: number, source: number, bytes: number) => {
      agents?.load(side(), source >>> 0, bytes >>> 0);
      agents?.store(side(), target >>> 0, bytes >>> 0);
    },
    fill: (target: number, bytes: number) => agents?.store(side(), target >>> 0, bytes >>> 0),
    enter,
    leave,
    change: (next: number) => {
      book();
      sides[sides.length - 1] = next;
    },
  };
  const instance = new WebAssembly.Instance(module, { env: { memory: core.memory }, count });
  const exports = Object.fromEntries(
    Object.entries(instance.exports).map(([name, value]) => {
      if (typeof value !== "function") return [name, value];
      const call = value as (...args: number[]) => number;
      return [
        name,
        (...args: number[]) => {
          enter(sideOf(name));
          const result = call(...args);
          leave();
          return result;
        },
      ];
    }),
  ) as unknown as CoreExports;
  return {
    exports,
    connect: (watching: Agents) => {
      agents = watching;
    },
  };
}
