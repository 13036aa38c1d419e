/**
 * The property programs on the reference rings alone: every program runs to its end, an honest queue does what the ledger
 * says, programs are their seed, and a fault in one twin, or the same fault in both, is found. The rings of the WebAssembly
 * core meet these programs in core.test.ts, and at length in test/slow.
 */
import { describe, expect, it } from "vitest";
import { makeModelRings } from "../model/model";
import type { DeviceHalf, DriverHalf, MakeRings, Rings } from "../model/ring";
import { whyEmpty } from "./coverage";
import { type Operation, show } from "./operations";
import { type Implementation, runTwins } from "./twins";

const MODEL: Implementation = { name: "model", makeRings: makeModelRings };

it("the model agrees with itself and with the ledger", () => {
  const { operations, programs, overwritten, coverage } = runTwins({
    left: MODEL,
    right: MODEL,
    seed: 1,
    operations: 20_000,
  });
  expect(operations).toBeGreaterThanOrEqual(20_000);
  expect(programs).toBeGreaterThan(200);
  expect(overwritten).toBeGreaterThan(500);
  expect(coverage.thin(1).filter(({ condition }) => condition === "any")).toEqual([]);
  expect(coverage.toText()).toContain("device publish");
});

it("the same seed gives the same operations, another one does not", () => {
  const run = (seed: number) => {
    const operations: string[] = [];
    const onOperation = (operation: Operation) => void operations.push(show(operation));
    runTwins({ left: MODEL, right: MODEL, seed, operations: 500, onOperation });
    return operations;
  };
  expect(run(3)).toEqual(run(3));
  expect(run(3)).not.toEqual(run(4));
});

it("a program is found again by its number", () => {
  const left = twinWith({ device: { publish: () => true } });
  const message = messageOf({ left, right: MODEL, seed: 5, operations: 20_000 });
  const number = Number(/program (\d+)/.exec(message)?.[1]);
  expect(messageOf({ left, right: MODEL, seed: 5, from: number, operations: 1 })).toBe(message);
});

it("the one cell that can't be met says why", () => {
  expect(whyEmpty({ layout: "packed", condition: "index wrap" })).toContain("free-running");
  expect(whyEmpty({ layout: "split", condition: "index wrap" })).toBeUndefined();
});

/** Faults, each as the methods of a half that it replaces. `inner` is the half as it should be. */
interface Fault {
  readonly driver?: {
    [K in keyof DriverHalf]?: (
      inner: DriverHalf,
      ...given: Parameters<DriverHalf[K]>
    ) => ReturnType<DriverHalf[K]>;
  };
  readonly device?: {
    [K in keyof DeviceHalf]?: (
      inner: DeviceHalf,
      ...given: Parameters<DeviceHalf[K]>
    ) => ReturnType<DeviceHalf[K]>;
  };
}

function twinWith(fault: Fault): Implementation {
  const makeRings: MakeRings = (options) => {
    const rings = makeModelRings(options);
    return {
      driver: replaced(rings.driver, fault.driver ?? {}),
      device: replaced(rings.device, fault.device ?? {}),
    } satisfies Rings;
  };
  return { name: "faulty", makeRings };
}

function replaced<Half extends object>(inner: Half, faults: object): Half {
  const replacements = new Map<PropertyKey, (inner: Half, ...given: unknown[]) => unknown>(
    Object.entries(faults),
  );
  return new Proxy(inner, {
    get(target, name) {
      const replacement = replacements.get(name);
      if (replacement !== undefined) {
        return (...given: unknown[]) => replacement(target, ...given);
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function messageOf(options: Parameters<typeof runTwins>[0]): string {
  try {
    runTwins(options);
  } catch (error) {
    return String(error);
  }
  return "nothing found";
}

const FAULTS: Record<string, Fault> = {
  "always notifies": { device: { publish: (inner) => inner.publish() || inner.hasAvailable() } },
  "never notifies": { driver: { publish: (inner) => ({ ...inner.publish(), notify: false }) } },
  "a kick value without its wrap bit": {
    driver: {
      publish: (inner) => {
        const { notify, kickValue } = inner.publish();
        return { notify, kickValue: kickValue & 0x7fff_ffff };
      },
    },
  },
  "a length one too small": {
    driver: {
      takeUsed: (inner, max) => {
        const { used, ...rest } = inner.takeUsed(max);
        return {
          used: used.map(({ token, length }) => ({ token, length: Math.max(0, length - 1) })),
          ...rest,
        };
      },
    },
  },
  "takes one too many": { device: { take: (inner, max) => inner.take(max + 1) } },
  "forgets the last segment": {
    device: {
      take: (inner, max) => {
        const { chains, ...rest } = inner.take(max);
        return {
          chains: chains.map((chain) => ({ ...chain, readable: chain.readable.slice(0, 7) })),
          ...rest,
        };
      },
    },
  },
  "arms without looking again": { device: { arm: (inner) => inner.arm() && false } },
  "accepts a stale token": {
    device: { complete: (inner, token, written) => inner.complete(token & 0x3ffff, written) },
  },
  "undo does nothing": { device: { undo: () => undefined } },
};

describe("a fault is found", () => {
  it.each(Object.entries(FAULTS))("%s", (_, fault) => {
    const faulty = twinWith(fault);
    const hunt = { seed: 11, operations: 100_000, hostile: 0 };
    expect(messageOf({ ...hunt, left: MODEL, right: faulty })).toMatch(/^Error: (answer|state|ring bytes)/);
    expect(messageOf({ ...hunt, left: faulty, right: faulty })).toMatch(
      /^Error: not what an honest queue does/,
    );
  });

  it("a byte of the ring", () => {
    const left: Implementation = {
      name: "writes too much",
      makeRings: (options) => {
        const { driver, device } = makeModelRings(options);
        const at = options.memory.length - 1;
        const publish = () => {
          options.memory[at] = 1;
          return device.publish();
        };
        return { driver, device: replaced(device, { publish }) };
      },
    };
    const message = messageOf({ left, right: MODEL, seed: 1, operations: 5_000 });
    expect(message).toMatch(/^Error: (memory|ring bytes)/);
    expect(messageOf({ left, right: left, seed: 1, operations: 5_000, hostile: 0 })).toContain(
      "outside the rings",
    );
  });
});
