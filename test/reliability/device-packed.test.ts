/**
 * Hostile or merely unusual drivers that a packed device half must cope with: wrap counters, lists over the ring's end, ids that
 * repeat, batches, and the order of the stores that show a used descriptor.
 */
import { expect } from "vitest";
import type { TakenChain } from "../model/ring";
import { seg } from "../ring-steps";
import { GUEST, MODEL, RELEASE } from "../rings";
import { deviceCase } from "./oracle";
import { put, type Stage, taken, used } from "./stage";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** A list of `count` descriptors from the n-th on; the last one carries the id. */
function list(stage: Stage, n: number, count: number, id: number, flags = 0): void {
  for (let i = 0; i < count; i++) {
    const last = i === count - 1;
    put(stage, n + i, { id: last ? id : 0xeeee, flags: flags | (last ? 0 : NEXT) });
  }
}

function only(stage: Stage): TakenChain {
  const [chain] = taken(stage, 1);
  if (!chain) throw new Error("no chain");
  return chain;
}

const at = (stage: Stage, n: number) => stage.packed.readDesc(stage.slot(n));

deviceCase("D081", (stage) => {
  put(stage, 0, { id: 5, len: 16 });
  used(stage, [only(stage)]);
  expect(at(stage, 0)).toMatchObject({ id: 5, len: 0, flags: stage.used(0) });
});

// The start at wrap counter 0 is the same case with both bits clear.
deviceCase("D082", (stage) => {
  const bits = stage.available(0) === 0x0080 ? 0x8080 : 0x0000;
  stage.packed.desc(stage.slot(0), { addr: 0x8000, len: 16, flags: bits });
  expect(stage.device.take(8)).toEqual({ chains: [] });
  expect(stage.device.hasAvailable()).toBe(false);
});

deviceCase(
  "D084",
  (stage) => {
    stage.world.guest.fill(0x1000, 128, 0);
    expect(stage.device.take(8)).toEqual({ chains: [] });
    expect(stage.device.hasAvailable()).toBe(false);
  },
  { start: {} },
);

deviceCase("D085", (stage) => {
  list(stage, 0, 8, 3);
  const whole = only(stage);
  expect(whole.readable.length).toBe(8);
  used(stage, [whole]);
  expect(stage.device.take(8)).toEqual({ chains: [] });
  put(stage, 8, { id: 4 });
  used(stage, [only(stage)]);
  expect(at(stage, 8)).toMatchObject({ id: 4, flags: stage.used(8) });
});

deviceCase(
  "D086",
  (stage) => {
    let n = 0;
    for (let lap = 0; n < 5000; lap++) {
      const count = 1 + (lap % 5);
      list(stage, n, count, lap % 5);
      const chain = only(stage);
      expect(chain.readable.length).toBe(count);
      used(stage, [chain]);
      expect(at(stage, n)).toMatchObject({ id: lap % 5, flags: stage.used(n) });
      n += count;
    }
  },
  { backends: [MODEL, RELEASE] },
);

deviceCase(
  "D087",
  (stage) => {
    list(stage, 0, 3, 1);
    expect([0, 1, 2].map((n) => stage.slot(n))).toEqual([7, 0, 1]);
    expect([0, 1, 2].map((n) => stage.packed.flags(stage.slot(n)))).toEqual([0x81, 0x8001, 0x8000]);
    const chain = only(stage);
    expect(chain.readable.map((s) => s.address)).toEqual([0x8700, 0x8000, 0x8100]);
    used(stage, [chain]);
    expect(stage.packed.flags(7)).toBe(0x8080);
  },
  { start: { slot: 7, wrap: 1 } },
);

deviceCase("D092", (stage) => {
  put(stage, 0, { id: 2, flags: WRITE });
  put(stage, 1, { id: 2, flags: WRITE });
  const [a, b] = taken(stage, 2);
  if (!a || !b) throw new Error("two chains");
  expect(a.token).not.toBe(b.token);
  expect(stage.device.complete(b.token, 7)).toBeUndefined();
  expect(stage.device.complete(b.token, 7)).toMatch(/COMPLETE_UNKNOWN|STALE_TOKEN/);
  expect(stage.device.complete(a.token, 9)).toBeUndefined();
  stage.device.publish();
  expect([at(stage, 0), at(stage, 1)]).toMatchObject([
    { id: 2, len: 7, flags: stage.used(0) | WRITE },
    { id: 2, len: 9, flags: stage.used(1) | WRITE },
  ]);
});

deviceCase("D093", (stage) => {
  list(stage, 0, 3, 1);
  list(stage, 3, 1, 2);
  const [a, b] = taken(stage, 2);
  if (!a || !b) throw new Error("two chains");
  const slot3 = at(stage, 3);
  used(stage, [b, a]);
  expect(at(stage, 0)).toMatchObject({ id: 2, flags: stage.used(0) });
  expect(at(stage, 1)).toMatchObject({ id: 1, flags: stage.used(1) });
  expect(at(stage, 3)).toEqual(slot3);
});

deviceCase("D094", (stage) => {
  list(stage, 0, 3, 1);
  const rest = [1, 2].map((n) => at(stage, n));
  used(stage, taken(stage, 1));
  expect([1, 2].map((n) => at(stage, n))).toEqual(rest);
  expect(at(stage, 0)).toMatchObject({ id: 1, flags: stage.used(0) });
});

deviceCase("D095", (stage) => {
  list(stage, 0, 2, 1, WRITE);
  put(stage, 2, { id: 2, flags: WRITE });
  const chains = taken(stage, 2);
  const head = stage.packed.flags(stage.slot(0));
  for (const { token } of chains) stage.device.complete(token, 16);
  // Without a log of the stores: what the driver could see between complete and publish.
  expect(stage.packed.flags(stage.slot(0))).toBe(head);
  expect(at(stage, 0)).toMatchObject({ id: 1, len: 16 });
  stage.device.publish();
  if (stage.log) {
    const stores = stage.log.within("store", GUEST.base + 0x1000, 128);
    expect(stores).toEqual([{ kind: "store", address: 16 * stage.slot(0) + 14, bytes: 2 }]);
  }
  expect([at(stage, 0).flags, at(stage, 2).flags]).toEqual([stage.used(0) | WRITE, stage.used(2) | WRITE]);
});

deviceCase("D103", (stage) => {
  for (let i = 0; i < 5; i++) stage.packed.desc(i, { addr: 0x8000 + 0x10 * i, len: 16 }, 0x9000);
  put(stage, 0, { addr: 0x9000, len: 80, id: 3, flags: INDIRECT });
  const table = only(stage);
  expect(table.readable.length).toBe(5);
  used(stage, [table]);
  expect(at(stage, 0)).toMatchObject({ id: 3, flags: stage.used(0) });
  put(stage, 1, { id: 4 });
  used(stage, [only(stage)]);
  expect(at(stage, 1)).toMatchObject({ id: 4, flags: stage.used(1) });
});

deviceCase("D104", (stage) => {
  stage.packed.desc(0, { addr: 0x8000, len: 16 }, 0x9000);
  stage.packed.desc(1, { addr: 0x8100, len: 16, flags: INDIRECT }, 0x9000);
  put(stage, 0, { addr: 0x9000, len: 32, flags: INDIRECT });
  const chain = only(stage);
  expect(chain.readable).toEqual([seg(0x8000, 16), seg(0x8100, 16)]);
  used(stage, [chain]);
});

deviceCase(
  "D108",
  (stage) => {
    list(stage, 0, 2, 9);
    expect([stage.slot(0), stage.slot(1)]).toEqual([32767, 0]);
    const chain = only(stage);
    expect(chain.readable.length).toBe(2);
    expect(stage.device.state().available).toBe(1);
    used(stage, [chain]);
    expect(at(stage, 0)).toMatchObject({ id: 9, flags: 0x8080 });
    put(stage, 2, { id: 10 });
    used(stage, [only(stage)]);
    expect(at(stage, 2)).toMatchObject({ id: 10, flags: 0x0000 });
  },
  { start: { slot: 32767, wrap: 1 } },
);

deviceCase("D109", (stage) => {
  for (let n = 0; n < 4; n++) put(stage, n, { id: n, flags: WRITE });
  const rest = [1, 2, 3].map((n) => at(stage, n));
  used(stage, taken(stage, 4), 16);
  expect(at(stage, 0)).toMatchObject({ id: 3, len: 16, flags: stage.used(0) | WRITE });
  expect([1, 2, 3].map((n) => at(stage, n))).toEqual(rest);
  // The second of four short of its writable total: its batch ends there.
  for (let n = 4; n < 8; n++) put(stage, n, { id: n, flags: WRITE });
  const [a, b, c, d] = taken(stage, 4);
  for (const [chain, written] of [
    [a, 16],
    [b, 15],
    [c, 16],
    [d, 16],
  ] as const) {
    expect(stage.device.complete(chain?.token ?? 0, written)).toBeUndefined();
  }
  stage.device.publish();
  expect(at(stage, 4)).toMatchObject({ id: 5, len: 15, flags: stage.used(4) | WRITE });
  expect(at(stage, 6)).toMatchObject({ id: 7, len: 16, flags: stage.used(6) | WRITE });
});
