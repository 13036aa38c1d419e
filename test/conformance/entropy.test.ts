/** Clauses of the entropy device (§5.4). */
import { describe, expect, it } from "vitest";
import { RngDriver } from "../../src/driver/rng";
import { RngModel } from "../../src/models/rng";
import { LAYOUTS, openRig, UNWRITTEN } from "../models/rig";

const ones = (bytes: Uint8Array) => void bytes.fill(1);

describe.each(LAYOUTS)("entropy, %s", (_, ring) => {
  it("ENTROPY-001 §5.4.6.1 driver: no readable buffer is sent", async () => {
    const model = new RngModel(ones);
    const { driver, core, allocator, device } = await openRig(model, ring);
    const rng = new RngDriver(driver, core, allocator);
    for (const length of [1, 64, 5000]) rng.request(length);
    await rng.submit();
    device.process();
    expect(rng.poll(() => {})).toBe(3);
    expect(model.breaches).toBe(0);
  });

  it("ENTROPY-002 §5.4.6.1 driver: the used length says how many bytes there are", async () => {
    const { driver, core, allocator, device } = await openRig(new RngModel(ones, { mostBytes: 5 }), ring);
    const rng = new RngDriver(driver, core, allocator);
    rng.request(4);
    rng.request(64);
    await rng.submit();
    device.process();
    const lengths: number[] = [];
    rng.poll((_, bytes) => lengths.push(bytes.length));
    expect(lengths).toEqual([4, 5]);
  });

  it.each([1, 2, 64, 4096])(
    "ENTROPY-003 §5.4.6.2 device: %i bytes of room get one byte or more",
    async (length) => {
      const rig = await openRig(new RngModel(ones, { mostBytes: 1 }), ring);
      expect(rig.ask([], [length]).length).toBe(1);
      const filling = await openRig(new RngModel(ones), ring);
      expect(filling.ask([], [length]).length).toBe(length);
    },
  );

  it("ENTROPY-003 §5.4.6.2 device: without a random byte the buffer is not used", async () => {
    const dry = () => {
      throw new Error("dry");
    };
    const rig = await openRig(new RngModel(dry), ring);
    rig.send([], [8]);
    rig.device.process();
    expect(rig.used()).toEqual([]);
    expect(rig.device.phase).toBe("needs-reset");
  });

  it("ENTROPY-004 §5.4.6.2 device: what is not filled stays as it was", async () => {
    const rig = await openRig(new RngModel(ones, { mostBytes: 3 }), ring);
    expect(rig.ask([], [2, 3])).toEqual({ length: 3, answer: [1, 1, 1, UNWRITTEN, UNWRITTEN] });
  });
});
