/**
 * Hostile devices against a split driver half: forged ids and lengths, jumping indices, overwritten descriptors; and callers
 * that ask it for what no driver may do. What a device writes is written by hand; the oracle ends every case.
 */
import { expect } from "vitest";
import type { BufferRequest, ResultName } from "../model/ring";
import { seg } from "../ring-steps";
import { RELEASE } from "../rings";
import { wasmQueues } from "../wasm-rings";
import { driverCase } from "./oracle";
import type { Stage } from "./stage";

const writable = (n: number, length = 64): BufferRequest => ({
  readable: [],
  writable: [seg(0x8000 + 0x100 * n, length)],
});
const three: BufferRequest = { readable: [seg(0x8000, 4), seg(0x8100, 4)], writable: [seg(0x8200, 4)] };

/** The driver offers buffers; their tokens. */
function offer(stage: Stage, ...requests: BufferRequest[]): number[] {
  const { tokens, error } = stage.driver.add(requests);
  expect({ count: tokens.length, error }).toEqual({ count: requests.length, error: undefined });
  stage.driver.publish();
  return [...tokens];
}

/** The device by hand: used elements from entry `from` on. */
function use(stage: Stage, elements: readonly (readonly [id: number, len: number])[], from = 0): void {
  elements.forEach(([id, len], i) => {
    stage.split.setUsedRing(stage.slot(from + i), id, len);
  });
  stage.split.usedIdx = stage.idx(from + elements.length);
}

/** The next takeUsed fails with this code; nothing comes out of it and nothing is freed. */
function refuses(stage: Stage, code: ResultName): void {
  const { free, inFlight } = stage.driver.state();
  expect(stage.driver.takeUsed(8)).toEqual({ used: [], error: code });
  expect(stage.driver.state()).toMatchObject({ free, inFlight });
}

for (const id of [8, 9, 0xffff, 0x8000_0000, 0xffff_ffff]) {
  driverCase("R126", (stage) => {
    offer(stage, writable(0));
    use(stage, [[id, 0]]);
    refuses(stage, "USED_ID_RANGE");
  });
}

driverCase("R128", (stage) => {
  offer(stage, three);
  const middle = stage.split.readDesc(stage.split.availRing(stage.slot(0))).next;
  use(stage, [[middle, 0]]);
  refuses(stage, "USED_ID_NOT_HEAD");
});

driverCase("R129", (stage) => {
  offer(stage, writable(0), writable(1));
  use(stage, [[5, 0]]);
  refuses(stage, "USED_ID_NOT_INFLIGHT");
});

// Used twice: the second time it is in flight no more.
driverCase("R129", (stage) => {
  const [token] = offer(stage, writable(0), writable(1));
  use(stage, [
    [0, 1],
    [0, 1],
  ]);
  expect(stage.driver.takeUsed(1)).toEqual({ used: [{ token, length: 1 }] });
  refuses(stage, "USED_ID_NOT_INFLIGHT");
});

for (const length of [65, 0x8000_0000, 0xffff_ffff]) {
  driverCase("R131", (stage) => {
    offer(stage, writable(0, 64));
    use(stage, [[0, length]]);
    refuses(stage, "USED_LEN_OVERFLOW");
  });

  driverCase(
    "R131",
    (stage) => {
      const [token] = offer(stage, writable(0, 64));
      use(stage, [[0, length]]);
      expect(stage.driver.takeUsed(8)).toEqual({ used: [{ token, length: 64 }] });
    },
    { more: { options: { clampUsedLength: true } }, ends: "unchanged" },
  );
}

driverCase("R134", (stage) => {
  offer(stage, ...Array.from({ length: 8 }, (_, i) => writable(i)));
  for (let n = 0; n < 8; n++) stage.split.setUsedRing(n, n, 0);
  stage.split.usedIdx = stage.idx(9);
  refuses(stage, "USED_INDEX_JUMP");
});

driverCase("R136", (stage) => {
  const [token] = offer(stage, writable(0), writable(1));
  use(stage, [[0, 0]]);
  expect(stage.driver.takeUsed(8).used).toEqual([{ token, length: 0 }]);
  stage.split.usedIdx = stage.idx(0);
  refuses(stage, "USED_INDEX_JUMP");
});

driverCase("R137", (stage) => {
  const tokens = offer(stage, three, writable(3));
  for (let i = 0; i < 8; i++) {
    stage.split.desc(i, { addr: 0xdead_0000, len: 0xffff_ffff, flags: 0xffff, next: 7 });
  }
  use(stage, [
    [0, 4],
    [3, 64],
  ]);
  expect(stage.driver.takeUsed(8).used).toEqual([
    { token: tokens[0], length: 4 },
    { token: tokens[1], length: 64 },
  ]);
  expect(stage.driver.state()).toMatchObject({ free: 8, inFlight: 0 });
});

driverCase("R140", (stage) => {
  stage.split.usedFlags = 0xfffe;
  stage.driver.add([writable(0)]);
  expect(stage.driver.publish().notify).toBe(true);
  stage.split.usedFlags = 0xffff;
  stage.driver.add([writable(1)]);
  expect(stage.driver.publish().notify).toBe(false);
  use(stage, [
    [0, 0],
    [1, 0],
  ]);
  expect(stage.driver.takeUsed(8).used.length).toBe(2);
});

for (const indirect of [false, true]) {
  driverCase("R142", (stage) => {
    const nine = {
      readable: Array.from({ length: 9 }, (_, i) => seg(0x8000 + i, 1)),
      writable: [],
      indirect,
    };
    const before = Buffer.from(stage.world.guest.source());
    const { added, error } = stage.driver.add([nine]);
    expect(added).toBe(0);
    expect(["BAD_ARGUMENT", "CHAIN_TOO_LONG"]).toContain(error);
    stage.driver.publish();
    expect(before.equals(stage.world.guest.source())).toBe(true);
    expect(stage.driver.state()).toMatchObject({ free: 8, inFlight: 0, available: stage.idx(0) });
  });
}

driverCase("R143", (stage) => {
  const tokens = offer(stage, three);
  const six = { readable: Array.from({ length: 6 }, (_, i) => seg(0x8000 + i, 1)), writable: [] };
  expect(stage.driver.add([six])).toEqual({ added: 0, tokens: [] });
  expect(stage.driver.state()).toMatchObject({ free: 5, inFlight: 1 });
  expect(stage.driver.add([{ ...six, readable: six.readable.slice(1) }]).added).toBe(1);
  stage.driver.publish();
  use(stage, [
    [0, 0],
    [3, 0],
  ]);
  expect(stage.driver.takeUsed(8).used[0]).toEqual({ token: tokens[0], length: 0 });
  expect(stage.driver.state()).toMatchObject({ free: 8, inFlight: 0 });
});

// `add` takes two lists, so that the order can't be wrong; a raw submission has counts, and no flag an element could carry.
driverCase(
  "R144",
  (stage) => {
    const { core, driver } = wasmQueues(stage.world.rings);
    const { word } = driver.submissions;
    const before = Buffer.from(stage.world.guest.source());
    for (const [readable, writables] of [
      [0, 0],
      [9, 0],
      [0, 0xffff_ffff],
      [0xffff_ffff, 1],
      [0x8000_0000, 0x8000_0001],
    ] as const) {
      core.words().set([readable, writables, 0, 0, 0x8000, 0, 4, 0], word);
      expect(() => driver.addBatch(1)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/BAD_ARGUMENT|CHAIN_TOO_LONG/) }),
      );
    }
    stage.driver.publish();
    expect(before.equals(stage.world.guest.source())).toBe(true);
  },
  { backends: [RELEASE] },
);

for (const segment of [
  seg(0x8000, 2 ** 32),
  seg(0x8000, -1),
  seg(0x8000, 0.5),
  seg(0x8000, Number.NaN),
  seg(0x8000, Number.POSITIVE_INFINITY),
  seg(-1, 4),
  seg(0.5, 4),
  seg(Number.NaN, 4),
  seg(2 ** 53, 4),
  seg(0x3fffd, 4),
  seg(0x40000, 1),
]) {
  driverCase("R146", (stage) => {
    for (const request of [
      { readable: [segment], writable: [] },
      { readable: [seg(0x8000, 4)], writable: [seg(0x8100, 4), segment] },
    ]) {
      expect(stage.driver.add([request])).toMatchObject({ added: 0, error: "BAD_ARGUMENT" });
    }
    expect(stage.driver.state()).toMatchObject({ free: 8, inFlight: 0 });
  });
}

driverCase("R147", (stage) => {
  for (let i = 0; i < 3; i++) {
    expect(stage.driver.hasUsed()).toBe(false);
    expect(stage.driver.takeUsed(8)).toEqual({ used: [] });
  }
  offer(stage, writable(0));
  expect(stage.driver.takeUsed(8)).toEqual({ used: [] });
  use(stage, [[0, 1]]);
  expect(stage.driver.takeUsed(8).used.length).toBe(1);
  expect(stage.driver.takeUsed(8)).toEqual({ used: [] });
});

driverCase("R160", (stage) => {
  const tokens = offer(stage, writable(0), writable(1), writable(2));
  use(stage, [
    [2, 12],
    [0, 10],
    [1, 11],
  ]);
  expect(stage.driver.takeUsed(8).used).toEqual([
    { token: tokens[2], length: 12 },
    { token: tokens[0], length: 10 },
    { token: tokens[1], length: 11 },
  ]);
});
