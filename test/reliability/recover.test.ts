/**
 * The option `recover` against the hostile drivers of the corpus: a bad chain that has a head to return comes back with length 0
 * and breaks nothing; one without a head breaks the queue all the same.
 */
import { describe, expect, test } from "vitest";
import { seg } from "../ring-steps";
import { wasmQueues } from "../wasm-rings";
import { corpusCase } from "./corpus";
import { HOSTILE_DRIVERS } from "./hostile-drivers";
import { deviceRoundTrips, endOfDeviceCase } from "./oracle";
import { avail, openStage, refuses, startsOf, taken, UNDER_TEST, used } from "./stage";

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
