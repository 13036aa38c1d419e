/**
 * Hostile rings beside the corpus: flags stamped early, tables and direct descriptors against the limits, readable behind writable
 * in a packed ring, addresses up to 2^64, read-only guest RAM, and the reset of a broken queue.
 */
import { describe, expect, test } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { VirtioDevice } from "../../src/device/device";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { driveTo, TestModel } from "../control-rig";
import { RawMemory, RawSplit } from "../raw-ring";
import { PACKED_STARTS, SPLIT_STARTS, seg } from "../ring-steps";
import { MODEL, RELEASE } from "../rings";
import { deviceRoundTrips, endOfDeviceCase } from "./oracle";
import { avail, openStage, put, refuses, type Stage, taken, UNDER_TEST, used } from "./stage";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

describe.each(UNDER_TEST)("$name", (backend) => {
  const packed = (test: (stage: Stage) => void, options = {}): void => {
    for (const start of PACKED_STARTS) {
      const stage = openStage(backend, "P8", { start, ...options });
      test(stage);
      endOfDeviceCase(stage, "broken");
      expect(stage.world.strayWrites()).toEqual([]);
    }
  };
  const split = (test: (stage: Stage) => void, options = {}): void => {
    for (const start of SPLIT_STARTS) {
      const stage = openStage(backend, "S8", { start, ...options });
      test(stage);
      endOfDeviceCase(stage, "broken");
      expect(stage.world.strayWrites()).toEqual([]);
    }
  };

  test("packed: INDIRECT without the feature", () => {
    packed(
      (stage) => {
        stage.packed.desc(0, { addr: 0x8000, len: 16 }, 0x9000);
        put(stage, 0, { addr: 0x9000, len: 16, flags: INDIRECT });
        refuses(stage, ["INDIRECT_NOT_NEGOTIATED"]);
      },
      { features: {}, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x2010 } },
    );
  });

  test("packed: readable behind writable, in a list", () => {
    packed((stage) => {
      put(stage, 0, { flags: WRITE | NEXT });
      put(stage, 1);
      refuses(stage, ["DESC_ORDER"]);
    });
  });

  test("packed: readable behind writable, in a table", () => {
    packed((stage) => {
      stage.packed.desc(0, { addr: 0x8000, len: 16, flags: WRITE }, 0x9000);
      stage.packed.desc(1, { addr: 0x8100, len: 16 }, 0x9000);
      put(stage, 0, { addr: 0x9000, len: 32, flags: INDIRECT });
      refuses(stage, ["DESC_ORDER"]);
    });
  });

  test("packed: a list whose later descriptor is not available", () => {
    packed((stage) => {
      put(stage, 0, { flags: NEXT });
      refuses(stage, ["PACKED_NOT_AVAILABLE"]);
    });
  });

  test("packed: flags stamped early, over slots that are still in flight", () => {
    packed((stage) => {
      for (let n = 0; n < 8; n++) put(stage, n, { id: n });
      taken(stage, 8);
      put(stage, 8, { id: 0 }); // the slot of the first, in the next lap
      refuses(stage, ["RING_INDEX_JUMP"]);
    });
  });

  test("packed: a list that runs into what is in flight", () => {
    packed((stage) => {
      for (let n = 0; n < 6; n++) put(stage, n, { id: n });
      taken(stage, 6);
      for (const n of [6, 7]) put(stage, n, { flags: NEXT });
      put(stage, 8, { id: 7 });
      refuses(stage, ["RING_INDEX_JUMP"]);
    });
  });

  test.each([
    [0, 1025, "INDIRECT_TOO_LONG"],
    [7, 1025, "INDIRECT_TOO_LONG"],
    [8, 1, "CHAIN_TOO_LONG"],
  ] as const)("split: %d direct descriptors and a table of %d: %s", (direct, entries, code) => {
    split((stage) => {
      for (let i = 0; i < 8; i++)
        stage.split.desc(i, { addr: 0x8000, len: 16, flags: NEXT, next: (i + 1) % 8 });
      for (let i = 0; i < entries; i++) {
        stage.split.desc(
          i,
          { addr: 0x8000, len: 1, ...(i < entries - 1 && { flags: NEXT, next: i + 1 }) },
          0x20000,
        );
      }
      if (direct < 8) stage.split.desc(direct, { addr: 0x20000, len: 16 * entries, flags: INDIRECT });
      avail(stage, [0]);
      refuses(stage, [code]);
    });
  });

  test("split: seven direct descriptors and a table of 1024 are within the limits", () => {
    const stage = openStage(backend, "S8");
    for (let i = 0; i < 7; i++) stage.split.desc(i, { addr: 0x8000, len: 16, flags: NEXT, next: i + 1 });
    for (let i = 0; i < 1024; i++) {
      stage.split.desc(i, { addr: 0x8000, len: 1, ...(i < 1023 && { flags: NEXT, next: i + 1 }) }, 0x20000);
    }
    stage.split.desc(7, { addr: 0x20000, len: 16 * 1024, flags: INDIRECT });
    avail(stage, [0]);
    const chains = taken(stage, 1);
    expect(chains[0]?.readable.length).toBe(1031);
    used(stage, chains);
    deviceRoundTrips(stage);
  });

  test.each([
    [0xffff_ffff_ffff_fff0n, 0x10],
    [0xffff_ffff_ffff_ffffn, 1],
    [0xffff_ffff_0000_0001n, 0xffff_ffff],
  ])("split: a buffer at %d of %d bytes, up to or over 2^64", (addr, len) => {
    for (const flags of [0, WRITE]) {
      split((stage) => {
        stage.split.desc(0, { addr, len, flags });
        avail(stage, [0]);
        refuses(stage, ["DESC_ADDR_OVERFLOW"]);
      });
    }
  });

  test("split: a writable buffer in read-only guest RAM, direct and in a table", () => {
    const regions = [
      { gpa: 0, base: 0x100000, size: 0x30000 },
      { gpa: 0x31000, base: 0x200000, size: 0x10000, readOnly: true },
    ];
    for (const table of [false, true]) {
      split(
        (stage) => {
          const describe = (d: { addr: number; len: number; flags?: number }): void => {
            if (table) stage.split.desc(0, { addr: 0x9000, len: 16, flags: INDIRECT });
            stage.split.desc(0, d, table ? 0x9000 : undefined);
          };
          describe({ addr: 0x31000, len: 16 });
          avail(stage, [0]);
          const chains = taken(stage, 1); // reading is fine
          expect(chains[0]?.readable).toEqual([seg(0x31000, 16)]);
          used(stage, chains);
          describe({ addr: 0x31000, len: 16, flags: WRITE });
          avail(stage, [0], 1);
          refuses(stage, ["DESC_OUT_OF_GUEST"]);
        },
        { regions },
      );
    }
  });

  test("a used event of the device half is no cursor: any words, any number of notifications", () => {
    const stage = openStage(backend, "S8E");
    for (let n = 0; n < 200; n++) {
      stage.split.usedEvent = (n * 40503) & 0xffff;
      avail(stage, [n % 8], n);
      used(stage, taken(stage, 1));
    }
    expect(stage.split.usedIdx).toBe(200);
    deviceRoundTrips(stage);
  });
});

test("a queue reset heals a broken queue; DEVICE_NEEDS_RESET stays until the device is reset", () => {
  const core = loadCoreSync({ guestBytes: 0x40000 });
  const model = new TestModel();
  const device = new VirtioDevice(core, model);
  const areas = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
  const guest = new RawMemory(() => core.view(0, 0x40000));
  const split = new RawSplit(guest, 8, areas);
  const offer = (head: number, idx: number): void => {
    split.desc(0, { addr: 0x8000, len: 16 });
    split.setAvailRing((idx - 1) % 8, head);
    split.availIdx = idx;
    device.notify(0);
    device.process();
  };
  driveTo(device, 0x0b, FeatureSet.of("VERSION_1", "RING_RESET"));
  device.enableQueue(0, { size: 8, areas });
  device.writeStatus(0x0f);
  offer(8, 1);
  expect([device.readStatus(), model.taken.length]).toEqual([0x4f, 0]);

  device.resetQueue(0);
  expect(device.queueReady(0)).toBe(false);
  guest.fill(0x1000, 0x3000, 0);
  device.enableQueue(0, { size: 8, areas });
  for (const idx of [1, 2, 3]) offer(0, idx);
  expect(device.readStatus() & 0x40).toBe(0x40);

  driveTo(device, 0x0b, FeatureSet.of("VERSION_1"));
  guest.fill(0x1000, 0x3000, 0);
  device.enableQueue(0, { size: 8, areas });
  device.writeStatus(0x0f);
  const before = model.taken.length;
  for (const idx of [1, 2, 3]) offer(0, idx);
  expect([device.readStatus(), model.taken.length - before]).toEqual([0x0f, 3]);
});

/** The halves' own reset leaves no token of the life before in force. */
test.each([MODEL, RELEASE])("$name: tokens of before a reset are stale", (backend) => {
  for (const setup of ["S8", "P8"]) {
    const stage = openStage(backend, setup);
    const offer = (n: number): void => {
      if (stage.layout === "split") avail(stage, [0], n);
      else put(stage, n, { id: 0 });
    };
    offer(0);
    const [old] = taken(stage, 1);
    stage.device.reset();
    stage.world.guest.fill(0x1000, 0x2100, 0);
    expect(stage.device.complete(old?.token ?? 0, 0)).toMatch(/COMPLETE_UNKNOWN|STALE_TOKEN/);
    offer(0);
    const chains = taken(stage, 1);
    expect(chains[0]?.token).not.toBe(old?.token);
    expect(stage.device.complete(old?.token ?? 0, 0)).toBe("STALE_TOKEN");
    used(stage, chains);
  }
});
