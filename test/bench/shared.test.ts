/** The rings of two workers, in worker threads: they do the work that they are asked for, spinning and sleeping. */
import { beforeAll, describe, expect, it } from "vitest";
import { AgentThread } from "../../bench/node/shared";
import { expectedChecksum, type RingAdapter } from "../../bench/ring";
import { Sleeping, Stopped, stop } from "../../bench/shared/idle";
import { WORD } from "../../bench/shared/meeting";
import { SHARED_NAMES } from "../../bench/shared/names";
import { sharedRings } from "../../bench/shared/rings";
import { SUITES } from "../../bench/suites";
import { SHAPES, workloadOf } from "../../bench/workload";
import { bundle } from "../shared/bundle";

let rings: readonly RingAdapter[] = [];
beforeAll(async () => {
  const program = await bundle(new URL("../../bench/node/shared-agent.ts", import.meta.url));
  rings = sharedRings(() => new AgentThread(program));
});

it("has the rings of its suite", () => {
  expect(SUITES.find(({ name }) => name === "shared")?.rings).toEqual(["none", ...SHARED_NAMES]);
  expect(rings.map(({ name }) => name)).toEqual(SHARED_NAMES);
});

describe.each(["off", "flags", "event-idx"] as const)("notify %s", (notify) => {
  it.each(SHARED_NAMES)("%s: each run has the checksum of its work", async (name) => {
    const adapter = rings.find((ring) => ring.name === name) as RingAdapter;
    for (const shape of Object.values(SHAPES)) {
      for (const batch of [1, 32]) {
        const workload = workloadOf({ shape, batch, notify });
        const ring = await adapter.open(workload);
        for (const chains of [batch, 64 * batch, 3200]) {
          const sample = await ring.run(chains);
          expect(sample.checksum).toBe(expectedChecksum(workload, chains));
        }
        ring.close?.();
      }
    }
  });
});

it("refuses more than one queue, and payload", () => {
  const [adapter] = rings;
  const shape = { name: "e", readable: [64], writable: [64], indirect: false };
  expect(adapter?.refuses?.(workloadOf({ shape, batch: 1, queues: 2 }))).toContain("one queue");
  expect(adapter?.refuses?.(workloadOf({ shape, batch: 1, device: "echo" }))).toContain("sink");
});

it("a worker that fails stops the other, and says why", async () => {
  const [adapter] = rings;
  const workload = workloadOf({
    shape: SHAPES["1"] as (typeof SHAPES)["1"] & object,
    batch: 1,
    notify: "flags",
  });
  const ring = await (adapter as RingAdapter).open({ ...workload, batch: 2 }); // one submission where two are due
  await expect(ring.run(2)).rejects.toThrow("the ring was full");
  ring.close?.();
});

describe("a side that sleeps", () => {
  const half = (arm: number, hasWork: number) => {
    const calls: string[] = [];
    const suppression = {
      arm: () => calls.push("arm") && arm,
      disarm: () => calls.push("disarm"),
      hasWork: () => calls.push("hasWork") && hasWork,
    };
    const words = new Int32Array(new SharedArrayBuffer(4 * 192));
    return { words, calls, idle: new Sleeping(words, "driver", suppression, 1) };
  };

  it("does not, if there is work when it has armed", () => {
    const { idle, calls } = half(1, 1);
    idle.wait();
    expect(calls).toEqual(["disarm", "arm", "disarm"]);
  });

  it("says that a wake-up was lost, if there is work when it has slept long enough", () => {
    expect(() => half(0, 1).idle.wait()).toThrow("a wake-up was lost: the driver slept for 1 ms");
  });

  it("has lost nothing, if there is no work then", () => {
    const { idle, calls } = half(0, 0);
    idle.wait();
    expect(calls).toEqual(["disarm", "arm", "hasWork", "disarm"]);
  });

  it("rings the other side's bell when its publish says so", () => {
    const { idle, words } = half(0, 0);
    idle.notify(0);
    expect([words[WORD.driverBell], words[WORD.deviceBell]]).toEqual([0, 0]);
    idle.notify(1);
    expect([words[WORD.driverBell], words[WORD.deviceBell]]).toEqual([0, 1]);
  });

  it("gives up when the other side has", () => {
    const { idle, words } = half(0, 0);
    stop(words);
    expect(() => idle.wait()).toThrow(Stopped);
  });
});
