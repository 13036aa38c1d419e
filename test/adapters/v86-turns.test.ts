/** Whose turn it is, with devices that do nothing but say that there is more to do. */
import { expect, it } from "vitest";
import { Turns } from "../../src/adapters/v86/turns";
import type { VirtioDevice } from "../../src/device/device";

const BUDGET = 3;
const task = () => new Promise<void>((resolve) => setImmediate(resolve));
const microtasks = async () => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

/** A device with work for so many turns, which asks for one more in each. */
function busy(turns: Turns, name: string, work: number, log: string[]): VirtioDevice {
  const device = {
    hasWork: true,
    process(budget: number) {
      log.push(`${name} ${budget}`);
      device.hasWork = --work > 0;
      turns.request();
    },
  };
  return device as unknown as VirtioDevice;
}

it("a device that asks for more while it is served waits for its next turn, which others begin", async () => {
  const log: string[] = [];
  const turns = new Turns(BUDGET);
  turns.serve([busy(turns, "a", 2, log), busy(turns, "b", 1, log)]);
  expect(log).toEqual([]);
  await microtasks();
  expect(log).toEqual(["a 3", "b 3"]);
  await task();
  expect(log.slice(2)).toEqual(["b 3", "a 3"]);
  await task();
  expect(log).toHaveLength(4);
});

it("nothing is served while it is held, whenever it was asked for", async () => {
  const log: string[] = [];
  const turns = new Turns(BUDGET);
  turns.serve([busy(turns, "a", 2, log)]);
  turns.hold();
  turns.hold();
  turns.request();
  await task();
  turns.release();
  await task();
  expect(log).toEqual([]);
  turns.release();
  await microtasks();
  expect(log).toHaveLength(1);
  turns.hold();
  await task();
  expect(log).toHaveLength(1);
  turns.release();
  await task();
  expect(log).toHaveLength(2);
});
