/**
 * Hostile or merely unusual drivers that a split device half must cope with: boundaries, wraps, aliases, reserved bits, and a
 * host that misuses the device half. The oracle ends every case.
 */
import { expect } from "vitest";
import type { TakenChain } from "../model/ring";
import { seg } from "../ring-steps";
import { QUEUES } from "../rings";
import { wasmQueues } from "../wasm-rings";
import { deviceCase } from "./oracle";
import { avail, type Stage, taken, used } from "./stage";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

const ALL = [0, 1, 2, 3, 4, 5, 6, 7];

/** Head of a chain by the address of its buffer: descriptor i lies at 0x8000 + 0x100 × i. */
const headOf = (chain: TakenChain): number => ((chain.readable[0]?.address ?? 0) - 0x8000) / 0x100;

/** Heads and lengths of the used elements from the start on. */
const elements = (stage: Stage, count: number): [number, number][] =>
  Array.from({ length: count }, (_, n) => stage.split.usedRing(stage.slot(n)));

function only(stage: Stage): TakenChain {
  const [chain] = taken(stage, 1);
  if (!chain) throw new Error("no chain");
  return chain;
}

deviceCase("D002", (stage) => {
  avail(stage, ALL);
  const chains = taken(stage, 8);
  expect(chains.map(headOf)).toEqual(ALL);
  expect(stage.device.take(8)).toEqual({ chains: [] });
  used(stage, chains);
  expect(stage.split.usedIdx).toBe(stage.idx(8));
});

deviceCase(
  "D005",
  (stage) => {
    avail(stage, ALL);
    expect([stage.slot(0), stage.slot(4), stage.split.availIdx]).toEqual([4, 0, 4]);
    const chains = taken(stage, 8);
    expect(chains.map(headOf)).toEqual(ALL);
    used(stage, chains);
    expect(elements(stage, 8)).toEqual(ALL.map((head) => [head, 0]));
    expect(stage.split.usedIdx).toBe(4);
  },
  { start: { idx: 0xfffc } },
);

// The device half refuses the second offer with or without strictRing: a head in flight is not free (§2.7.13.1).
deviceCase("D010", (stage) => {
  avail(stage, [3, 3]);
  const first = only(stage);
  expect(headOf(first)).toBe(3);
  expect(stage.device.take(8)).toEqual({ chains: [], error: "HEAD_IN_FLIGHT" });
  expect(stage.device.complete(first.token, 0)).toBe("QUEUE_BROKEN");
  expect(stage.split.usedIdx).toBe(stage.idx(0));
});

deviceCase("D014", (stage) => {
  stage.split.availFlags = 0xffff;
  avail(stage, [0]);
  expect(used(stage, taken(stage, 1))).toBe(false);
  stage.split.availFlags = 0xfffe;
  avail(stage, [0], 1);
  expect(used(stage, taken(stage, 1))).toBe(true);
});

deviceCase("D017", (stage) => {
  stage.split.usedEvent = 0;
  for (let n = 0; n < 5; n++) {
    avail(stage, [n], n);
    expect(used(stage, taken(stage, 1))).toBe(true);
  }
  avail(stage, [0, 1, 2, 3, 4], 5);
  expect(used(stage, taken(stage, 5))).toBe(true);
});

deviceCase("D020", (stage) => {
  for (const i of ALL) {
    const last = i === 7;
    stage.split.desc(i, {
      addr: 0x8000 + 0x100 * i,
      len: 16,
      flags: last ? WRITE : NEXT,
      next: last ? 0 : i + 1,
    });
  }
  avail(stage, [0]);
  const chain = only(stage);
  expect(chain.readable).toEqual(ALL.slice(0, 7).map((i) => seg(0x8000 + 0x100 * i, 16)));
  expect(chain.writable).toEqual([seg(0x8700, 16)]);
  used(stage, [chain], 16);
});

deviceCase("D027", (stage) => {
  stage.split.desc(0, { addr: 0x8000, len: 0 });
  avail(stage, [0]);
  const chain = only(stage);
  expect(chain).toMatchObject({ readable: [], writable: [], readableBytes: 0n, writableBytes: 0n });
  used(stage, [chain]);
  expect(elements(stage, 1)).toEqual([[0, 0]]);
});

// Zero-length descriptors inside a chain: skipped, wherever they point, and the chain goes on (corner 55).
deviceCase("D027", (stage) => {
  stage.split.desc(0, { addr: 0x8000, len: 16, flags: NEXT, next: 1 });
  stage.split.desc(1, { addr: 0xffff_ffff_ffff_ffffn, len: 0, flags: NEXT, next: 2 });
  stage.split.desc(2, { addr: 0x8200, len: 16, flags: WRITE });
  avail(stage, [0]);
  const chain = only(stage);
  expect(chain).toMatchObject({ readable: [seg(0x8000, 16)], writable: [seg(0x8200, 16)] });
  used(stage, [chain]);
});

deviceCase("D029", (stage) => {
  stage.split.desc(0, { addr: 0x8000, len: 16, flags: 0xfff8, next: 7 });
  avail(stage, [0]);
  const chain = only(stage);
  expect(chain).toMatchObject({ readable: [seg(0x8000, 16)], writable: [] });
  used(stage, [chain]);
});

deviceCase("D030", (stage) => {
  stage.split.desc(0, { addr: 0x3fff0, len: 16 });
  avail(stage, [0]);
  const chain = only(stage);
  expect(chain.readable).toEqual([seg(0x3fff0, 16)]);
  used(stage, [chain]);
});

deviceCase("D045", (stage) => {
  stage.split.desc(0, { addr: 0x3000, len: 70, flags: WRITE });
  avail(stage, [0]);
  const chain = only(stage);
  stage.world.guest.fill(0x3000, 70, 0xff);
  used(stage, [chain], 70);
  // Its own words come from the device half's state, not from what the buffer's bytes made of the used ring.
  expect(stage.split.usedIdx).toBe(stage.idx(1));
  expect(elements(stage, 1)).toEqual([[0, 70]]);
});

deviceCase("D046", (stage) => {
  stage.split.desc(0, { addr: 0x8000, len: 0x1000, flags: WRITE | NEXT, next: 1 });
  stage.split.desc(1, { addr: 0x8000, len: 0x1000, flags: WRITE });
  avail(stage, [0]);
  const chain = only(stage);
  expect(chain).toMatchObject({
    writable: [seg(0x8000, 0x1000), seg(0x8000, 0x1000)],
    writableBytes: 0x2000n,
  });
  used(stage, [chain], 0x2000);
});

deviceCase("D055", (stage) => {
  for (let i = 0; i < 4; i++) {
    stage.split.desc(
      i,
      { addr: 0x8000 + 0x100 * i, len: 16, ...(i < 3 && { flags: NEXT, next: i + 1 }) },
      0x9000,
    );
  }
  stage.split.desc(0, { addr: 0x9000, len: 64, flags: INDIRECT });
  avail(stage, [0]);
  const chain = only(stage);
  expect(chain.readable).toEqual([0, 1, 2, 3].map((i) => seg(0x8000 + 0x100 * i, 16)));
  used(stage, [chain]);
});

deviceCase("D073", (stage) => {
  avail(stage, [3]);
  const chain = only(stage);
  expect(stage.device.complete(chain.token, 0)).toBeUndefined();
  expect(stage.device.complete(chain.token, 0)).toBe("COMPLETE_UNKNOWN");
  stage.device.publish();
  expect(stage.split.usedIdx).toBe(stage.idx(1));
  // The same head again: the old token is told from the new one.
  avail(stage, [3], 1);
  const again = only(stage);
  expect(stage.device.complete(chain.token, 0)).toBe("STALE_TOKEN");
  used(stage, [again]);
});

deviceCase("D074", (stage) => {
  stage.split.desc(0, { addr: 0x8000, len: 16, flags: WRITE });
  avail(stage, [0, 1]);
  const [writable, readable] = taken(stage, 2);
  if (!writable || !readable) throw new Error("two chains");
  for (const written of [17, 0x8000_0000, 0xffff_ffff]) {
    expect(stage.device.complete(writable.token, written)).toBe("COMPLETE_LEN_OVERFLOW");
  }
  expect(stage.device.complete(readable.token, 1)).toBe("COMPLETE_LEN_OVERFLOW");
  expect(stage.split.usedIdx).toBe(stage.idx(0));
  used(stage, [writable], 16);
  used(stage, [readable], 0);
  expect(elements(stage, 2)).toEqual([
    [0, 16],
    [1, 0],
  ]);
});

deviceCase("D075", (stage) => {
  const order = [7, 0, 3, 1, 2, 6, 5, 4];
  avail(stage, ALL);
  const chains = taken(stage, 8);
  used(
    stage,
    order.flatMap((i) => chains[i] ?? []),
  );
  expect(elements(stage, 8)).toEqual(order.map((head) => [head, 0]));
});

deviceCase(
  "D076",
  (stage) => {
    avail(stage, [0, 1]);
    used(stage, taken(stage, 2));
    expect([stage.split.usedRing(7), stage.split.usedRing(0)]).toEqual([
      [0, 0],
      [1, 0],
    ]);
    expect(stage.split.usedIdx).toBe(1);
  },
  { start: { idx: 0xffff } },
);

deviceCase("D078", (stage) => {
  avail(stage, [4, 5, 6]);
  const [a, b, c] = taken(stage, 3);
  if (!a || !b || !c) throw new Error("three chains");
  expect(stage.device.undo(a.token)).toBe("BAD_ARGUMENT"); // not the last one
  expect(stage.device.undo(c.token)).toBeUndefined();
  expect(stage.device.state()).toMatchObject({ available: stage.idx(2), inFlight: 2 });
  expect(["BAD_ARGUMENT", "COMPLETE_UNKNOWN", "STALE_TOKEN"]).toContain(stage.device.undo(c.token));
  expect(stage.device.state()).toMatchObject({ available: stage.idx(2), inFlight: 2 });
  const again = only(stage);
  expect(headOf(again)).toBe(6);
  expect(["BAD_ARGUMENT", "COMPLETE_UNKNOWN", "STALE_TOKEN"]).toContain(stage.device.undo(c.token));
  used(stage, [a, b, again]);
});

deviceCase("D079", (stage) => {
  avail(stage, [0, 1]);
  const [a, b] = taken(stage, 2);
  if (!a || !b) throw new Error("two chains");
  const early = stage.device.complete(b.token, 0);
  expect(stage.device.publish()).toBe(false);
  expect(stage.split.usedIdx).toBe(stage.idx(0));
  if (stage.backend.holdsBack) {
    // DeviceQueue takes any order, and publishes B behind A.
    expect(early).toBeUndefined();
    expect(stage.device.complete(b.token, 0)).toBe("COMPLETE_UNKNOWN");
    used(stage, [a]);
  } else {
    expect(early).toBe("IN_ORDER_VIOLATION");
    used(stage, [a, b]);
  }
  expect(stage.split.usedIdx).toBe(stage.idx(2));
  expect(elements(stage, 1)).toEqual([[1, 0]]);
});

deviceCase(
  "D047",
  (stage) => {
    const { device } = wasmQueues(stage.world.rings);
    stage.split.desc(0, { addr: 0x8000, len: 8 });
    avail(stage, [0]);
    expect(device.take()).toBe(1);
    const chain = device.chain(0);
    const reader = chain.reader();
    expect(() => reader.expect(16)).toThrow(expect.objectContaining({ code: "CHAIN_TOO_SHORT" }));
    expect(() => reader.skip(9)).toThrow(expect.objectContaining({ code: "CHAIN_TOO_SHORT" }));
    expect(reader.remaining).toBe(8);
    reader.readU32();
    expect(() => reader.readU64()).toThrow(expect.objectContaining({ code: "CHAIN_TOO_SHORT" }));
    expect(reader.read(new Uint8Array(16))).toBe(4);
    expect(reader.read(new Uint8Array(16))).toBe(0);
    device.complete(chain.token, 0);
    device.publish();
    expect(elements(stage, 1)).toEqual([[0, 0]]);
    expect(device.error).toBeUndefined();
  },
  { backends: [QUEUES] },
);
