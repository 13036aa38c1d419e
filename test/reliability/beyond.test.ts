/**
 * Hostile rings beside the corpus: the option `recover`, flags stamped early, tables and direct descriptors against the limits,
 * readable behind writable in a packed ring, read-only guest RAM, and the reset of a broken queue.
 */
import { describe, expect, test } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { VirtioDevice } from "../../src/device/device";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { driveTo, TestModel } from "../control-rig";
import { RawMemory, RawSplit } from "../raw-ring";
import { PACKED_STARTS, SPLIT_STARTS, seg } from "../ring-steps";
import { MODEL, openWorld, RELEASE } from "../rings";
import { wasmQueues } from "../wasm-rings";
import { corpusCase } from "./corpus";
import { HOSTILE_DRIVERS } from "./hostile-drivers";
import { deviceRoundTrips, endOfDeviceCase } from "./oracle";
import {
  avail,
  openStage,
  profileOptions,
  put,
  refuses,
  type Stage,
  startsOf,
  taken,
  UNDER_TEST,
  used,
} from "./stage";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** Without a head, or the end of a list that carries its id, there is nothing to give back. */
const NO_HEAD = new Set(["D001", "D007", "D008", "D011", "D013", "D088"]);

describe.each(UNDER_TEST)("recover, $name", (backend) => {
  const recoverable = Object.entries(HOSTILE_DRIVERS).filter(([id]) => !NO_HEAD.has(id));

  test.each(recoverable)("%s: the head comes back with length 0, and the queue goes on", (id, { poke }) => {
    const { setup, expected } = corpusCase(id);
    for (const start of startsOf(setup)) {
      const stage = openStage(backend, setup, { start, options: { recover: true } });
      poke(stage);
      const { chains, error } = stage.device.take(65536);
      expect(error).toBeUndefined();
      if (backend.holdsBack) {
        // DeviceQueue gives it back by itself, and reports it.
        expect(chains).toEqual([]);
        const { violations } = wasmQueues(stage.world.rings);
        expect(violations.length).toBe(1);
        expect(expected.error).toContain(violations[0]?.code);
        stage.device.publish();
      } else {
        expect(chains).toMatchObject([{ readable: [], writable: [], readableBytes: 0n, writableBytes: 0n }]);
        expect(expected.error).toContain(chains[0]?.error);
        expect(stage.device.complete(chains[0]?.token ?? 0, 1)).toBe("COMPLETE_LEN_OVERFLOW");
        used(stage, chains, 0);
      }
      if (stage.layout === "split") expect(stage.split.usedIdx).toBe(stage.idx(1));
      else expect(stage.packed.flags(stage.slot(0)) & 0x8082).toBe(stage.used(0));
      expect(stage.device.state()).toMatchObject({ inFlight: 0, error: undefined });
      deviceRoundTrips(stage);
      expect(stage.world.strayWrites()).toEqual([]);
    }
  });

  test.each([...NO_HEAD])("%s: without a head it breaks the queue all the same", (id) => {
    const { poke, inFlight = [], good = 0 } = HOSTILE_DRIVERS[id] ?? { poke: () => {} };
    const stage = openStage(backend, corpusCase(id).setup, { options: { recover: true } });
    if (inFlight.length) {
      avail(stage, inFlight);
      taken(stage, inFlight.length);
    }
    poke(stage);
    if (good) taken(stage, good);
    refuses(stage, corpusCase(id).expected.error);
    endOfDeviceCase(stage, "broken");
  });

  test("good chains, a bad one, good chains: all come, the bad one named", () => {
    const stage = openStage(backend, "S8", { options: { recover: true } });
    stage.split.desc(1, { addr: 0x40000, len: 1 });
    avail(stage, [0, 1, 2]);
    const { chains, error } = stage.device.take(8);
    expect(error).toBeUndefined();
    const good = chains.filter((chain) => !chain.error);
    expect(good.map((chain) => chain.readable)).toEqual([[seg(0x8000, 16)], [seg(0x8200, 16)]]);
    used(stage, chains);
    expect(stage.split.usedIdx).toBe(3);
    deviceRoundTrips(stage);
  });
});

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

describe.each(UNDER_TEST)("$name, good input off the beaten track", (backend) => {
  test.each([1, 2, 3, 5, 8])(
    "packed: undo of a list of %d, wherever it lies, as if it had not been taken",
    (count) => {
      for (let slot = 0; slot < 8; slot++) {
        for (const wrap of [0, 1] as const) {
          const stage = openStage(backend, "P8", { start: { slot, wrap } });
          for (let n = 0; n < count; n++) put(stage, n, { id: 5, flags: n < count - 1 ? NEXT : 0 });
          const before = stage.device.state();
          const [first] = taken(stage, 1);
          expect(stage.device.undo(first?.token ?? 0)).toBeUndefined();
          expect(stage.device.state()).toEqual(before);
          const chains = taken(stage, 1);
          expect(chains[0]?.readable).toEqual(first?.readable);
          used(stage, chains);
          expect(stage.packed.readDesc(slot)).toMatchObject({ id: 5, flags: stage.used(0) });
        }
      }
    },
  );

  test.each(["S8", "P8"])(
    "%s: elements of length 0 may name any address; they count for the chain, not for its bytes",
    (setup) => {
      const stage = openStage(backend, setup);
      for (const indirect of [false, true]) {
        for (const address of [0x8000, 0x3ffff, 0x40000, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
          const request = {
            readable: [seg(address, 0), seg(0x8000, 4)],
            writable: [seg(address, 0)],
            indirect,
          };
          const { added, error } = stage.driver.add([request]);
          expect({ added, error }).toEqual({ added: 1, error: undefined });
          expect(stage.driver.state().free).toBe(indirect ? 7 : 5);
          stage.driver.publish();
          const chains = taken(stage, 1);
          expect(chains).toMatchObject([
            { readable: [seg(0x8000, 4)], writable: [], readableBytes: 4n, writableBytes: 0n },
          ]);
          used(stage, chains);
          expect(stage.driver.takeUsed(8).used.length).toBe(1);
        }
      }
    },
  );

  test.each(["S8", "P8"])("%s: buffers, tables and rings in another region than the first", (setup) => {
    const layout = setup === "S8" ? 0x1000 : 0x10;
    const regions = [
      { gpa: 0, base: 0x100000, size: 0x1000 },
      { gpa: 2 ** 33, base: 0x200000, size: 0x10000 },
    ];
    const at = (offset: number): number => 2 ** 33 + offset;
    const world = openWorld(backend, {
      ...profileOptions(setup),
      regions: regions.toReversed(),
      areas: {
        descriptor: at(0x1000),
        driver: at(0x2000),
        device: at(0x2000 + layout),
        tables: { address: at(0x4000), entries: 4 },
      },
    });
    for (const indirect of [false, true]) {
      const request = {
        readable: [seg(0x10, 4), seg(at(0x8000), 5)],
        writable: [seg(at(0xfff0), 16), seg(0xff0, 16)],
        indirect,
      };
      expect(world.driver.add([request]).added).toBe(1);
      world.driver.publish();
      const { chains } = world.device.take(8);
      expect(chains).toMatchObject([
        { readable: request.readable, writable: request.writable, writableBytes: 32n },
      ]);
      expect(world.device.complete(chains[0]?.token ?? 0, 32)).toBeUndefined();
      world.device.publish();
      expect(world.driver.takeUsed(8).used[0]?.length).toBe(32);
      for (const address of [0x1000, at(-1), at(0x10000), 0xffd]) {
        expect(world.driver.add([{ readable: [seg(address, 4)], writable: [], indirect }])).toMatchObject({
          error: "BAD_ARGUMENT",
        });
      }
    }
    expect(world.strayWrites()).toEqual([]);
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
