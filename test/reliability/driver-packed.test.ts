/**
 * Hostile devices against a packed driver half: forged used descriptors, the wrong lap, lengths without WRITE, overwritten slots,
 * and IN_ORDER batches. What a device writes is written by hand; the oracle ends every case.
 */
import { expect } from "vitest";
import type { BufferRequest } from "../model/ring";
import { seg } from "../ring-steps";
import { driverCase } from "./oracle";
import type { Stage } from "./stage";

const NEXT = 1;
const WRITE = 2;

const writable = (n: number, length = 64): BufferRequest => ({
  readable: [],
  writable: [seg(0x8000 + 0x100 * n, length)],
});
const three: BufferRequest = { readable: [seg(0x8000, 4), seg(0x8100, 4)], writable: [seg(0x8200, 4)] };

function offer(stage: Stage, ...requests: BufferRequest[]): number[] {
  const { tokens, error } = stage.driver.add(requests);
  expect({ count: tokens.length, error }).toEqual({ count: requests.length, error: undefined });
  stage.driver.publish();
  return [...tokens];
}

/** The device by hand: a used descriptor in the n-th slot, in its lap. */
function use(stage: Stage, n: number, id: number, len = 0, flags = len ? WRITE : 0): void {
  stage.packed.used(stage.slot(n), { id, len, flags: flags | stage.used(n) });
}

// Nothing was submitted: an error or silence are both right; nothing may be given out, and the queue must work after its reset.
driverCase("R149", (stage) => {
  use(stage, 0, 0, 16);
  const { used, error } = stage.driver.takeUsed(8);
  expect(used).toEqual([]);
  expect([undefined, "USED_ID_NOT_INFLIGHT"]).toContain(error);
  expect(stage.driver.state()).toMatchObject({ free: 8, inFlight: 0 });
});

for (const id of [7, 1]) {
  driverCase("R150", (stage) => {
    offer(stage, writable(0));
    use(stage, 0, id, 16);
    expect(stage.driver.takeUsed(8)).toEqual({ used: [], error: "USED_ID_NOT_INFLIGHT" });
  });
}

for (const id of [8, 9, 0x8000, 0xffff]) {
  driverCase("R151", (stage) => {
    offer(stage, writable(0));
    use(stage, 0, id, 16);
    expect(stage.driver.takeUsed(8)).toEqual({ used: [], error: "USED_ID_RANGE" });
  });
}

driverCase("R152", (stage) => {
  const [token] = offer(stage, writable(0));
  stage.packed.used(stage.slot(0), { id: 0, len: 16, flags: WRITE | (0x8080 - stage.used(0)) });
  expect(stage.driver.takeUsed(8)).toEqual({ used: [] });
  expect(stage.driver.hasUsed()).toBe(false);
  use(stage, 0, 0, 16);
  expect(stage.driver.takeUsed(8).used).toEqual([{ token, length: 16 }]);
});

for (const length of [100, 65, 0xffff_ffff]) {
  driverCase("R155", (stage) => {
    offer(stage, writable(0, 64));
    use(stage, 0, 0, length);
    expect(stage.driver.takeUsed(8)).toEqual({ used: [], error: "USED_LEN_OVERFLOW" });
  });

  driverCase(
    "R155",
    (stage) => {
      const [token] = offer(stage, writable(0, 64));
      use(stage, 0, 0, length, 0);
      expect(stage.driver.takeUsed(8)).toEqual({ used: [{ token, length: 0 }] });
    },
    { ends: "unchanged" },
  );

  driverCase(
    "R155",
    (stage) => {
      const [token] = offer(stage, writable(0, 64));
      use(stage, 0, 0, length);
      expect(stage.driver.takeUsed(8)).toEqual({ used: [{ token, length: 64 }] });
    },
    { more: { options: { clampUsedLength: true } }, ends: "unchanged" },
  );
}

driverCase("R156", (stage) => {
  const tokens = offer(stage, three, writable(3, 64));
  // Not yet used: the bits of the lap stay, everything else is overwritten.
  for (let n = 0; n < 4; n++) {
    stage.packed.desc(stage.slot(n), {
      addr: 0xdead_0000,
      len: 0xffff_ffff,
      id: 0xffff,
      flags: stage.available(n) | NEXT | WRITE,
    });
  }
  expect(stage.driver.takeUsed(8)).toEqual({ used: [] });
  use(stage, 0, 1, 64);
  use(stage, 1, 0, 4);
  expect(stage.driver.takeUsed(8).used).toEqual([
    { token: tokens[1], length: 64 },
    { token: tokens[0], length: 4 },
  ]);
  expect(stage.driver.state()).toMatchObject({ free: 8, inFlight: 0 });
});

driverCase("R158", (stage) => {
  const tokens = offer(stage, writable(0, 10), three, writable(2, 30));
  use(stage, 0, 2, 7);
  expect(stage.driver.takeUsed(8).used).toEqual([
    { token: tokens[0], length: 10 },
    { token: tokens[1], length: 4 },
    { token: tokens[2], length: 7 },
  ]);
});
