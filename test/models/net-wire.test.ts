import { describe, expect, it } from "vitest";
import { joinWires, loopWire } from "../../src/models/net-wire";
import { frame, netDevice, netPair, packet } from "./net-rig";

describe("the wire", () => {
  it("may take its time: the chain is used when its Promise settles", async () => {
    const answers: (() => void)[] = [];
    const wire = { send: () => new Promise<void>((resolve) => answers.push(resolve)) };
    const rig = await netDevice({ model: { wire } });
    const chains = [0, 1].map((i) => rig.add(1, [packet({}, frame(60, i))]));
    rig.run();
    expect(rig.used(1)).toEqual([]);
    for (const answer of answers) answer();
    await rig.device.idle();
    expect(rig.used(1)).toEqual(chains.map(({ token }) => ({ token, length: 0 })));
    expect(rig.model.counters.transmitted).toBe(2);
  });

  it("is too late after a reset", async () => {
    let answer = () => {};
    const wire = { send: () => new Promise<void>((resolve) => (answer = resolve)) };
    const rig = await netDevice({ model: { wire } });
    rig.add(1, [packet({}, frame(60))]);
    rig.run();
    rig.device.writeStatus(0);
    answer();
    await rig.device.idle();
    expect(rig.model.counters.transmitted).toBe(0);
    expect(rig.violations).toEqual([]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("cut");
      },
    ],
    ["rejects", () => Promise.reject(new Error("cut"))],
  ])("that %s loses the frame, and the host hears why", async (_, send) => {
    const errors: unknown[] = [];
    const rig = await netDevice({ model: { wire: { send }, onWireError: (error) => errors.push(error) } });
    rig.add(1, [packet({}, frame(60))]);
    rig.run();
    await rig.device.idle();
    expect(rig.used(1)).toHaveLength(1);
    expect(errors).toEqual([new Error("cut")]);
    expect(rig.model.counters).toMatchObject({ lost: 1, transmitted: 0 });
  });

  it("may reset the device while it takes a frame", async () => {
    const rig = await netDevice();
    rig.model.wire = { send: () => rig.device.writeStatus(0) };
    rig.add(1, [packet({}, frame(60))]);
    rig.add(1, [packet({}, frame(60))]);
    rig.run();
    expect(rig.violations).toEqual([]);
    expect(await rig.driver.initialize()).toMatchObject({ ok: true });
  });

  it("may be missing: frames are lost and chains used", async () => {
    const rig = await netDevice();
    rig.model.wire = undefined;
    rig.add(1, [packet({}, frame(60))]);
    rig.run();
    expect(rig.used(1)).toHaveLength(1);
    expect(rig.model.counters.lost).toBe(1);
  });

  it("carries nothing while the link is down", async () => {
    const rig = await netDevice();
    rig.model.linkUp = false;
    rig.add(1, [packet({}, frame(60))]);
    rig.add(0, [], [1526]);
    expect(rig.model.receive(frame(60))).toBe(false);
    rig.run();
    expect(rig.sent).toEqual([]);
    expect(rig.model.counters).toMatchObject({ lost: 1, missed: 1 });
    rig.model.linkUp = true;
    expect(rig.model.linkUp).toBe(true);
    expect(rig.model.receive(frame(60))).toBe(true);
  });

  it("joins two devices, or one with itself", async () => {
    const [a, b] = [await netPair(), await netPair({ ring: ["VERSION_1", "RING_PACKED"] })];
    joinWires(a.model, b.model);
    a.nic.send(frame(100, 1));
    b.nic.send(frame(100, 2));
    for (const { nic } of [a, b]) void nic.submit();
    for (const { run } of [a, b, a]) run();
    expect([a.poll(), b.poll()]).toEqual([1, 1]);
    expect([a, b].map(({ received }) => received[0]?.bytes)).toEqual([frame(100, 2), frame(100, 1)]);
    loopWire(a.model);
    a.nic.send(frame(100, 3));
    void a.nic.submit();
    a.run();
    expect(a.poll()).toBe(1);
    expect(a.received[1]?.bytes).toEqual(frame(100, 3));
  });
});
