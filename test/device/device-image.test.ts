/** A device saved and restored elsewhere: nothing is lost, nothing comes twice, and the driver can't tell. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VirtioDevice } from "../../src/device/device";
import type { DeviceContext } from "../../src/device/model";
import { DEVICE_PROFILES } from "../../src/device/profiles";
import { BlkModel } from "../../src/models/blk";
import { DeferredBackend } from "../../src/models/deferred-backend";
import { EchoModel } from "../../src/models/echo";
import { MemoryBackend } from "../../src/models/memory-backend";
import { FeatureSet } from "../../src/negotiation/feature-set";
import type { DeviceQueue } from "../../src/virtqueue/device-queue";
import { driveTo, TestModel } from "../control-rig";
import { forged, HoldingModel, ImageRig, refusalOf, testRig } from "./image-rig";

const LAYOUTS: Readonly<Record<string, readonly string[]>> = {
  split: ["VERSION_1"],
  packed: ["VERSION_1", "RING_PACKED"],
  "split, IN_ORDER": ["VERSION_1", "IN_ORDER"],
  "packed, IN_ORDER": ["VERSION_1", "RING_PACKED", "IN_ORDER"],
  "split, all": ["VERSION_1", "INDIRECT_DESC", "EVENT_IDX", "IN_ORDER", "NOTIFICATION_DATA"],
  "packed, all": ["VERSION_1", "RING_PACKED", "INDIRECT_DESC", "EVENT_IDX", "IN_ORDER", "NOTIFICATION_DATA"],
};

describe.each(Object.entries(LAYOUTS))("%s", (_, supports) => {
  it("goes on under load: every chain comes back once, with its bytes", async () => {
    const rig = await new ImageRig({ supports, model: () => new EchoModel({ queueSize: 16 }) }).start();
    const { queue, allocator, core, driver } = rig;
    const open = new Map<number, { at: number; text: string }>();
    const places = Array.from({ length: 16 }, () => allocator.allocate(64));
    let sent = 0;
    let back = 0;
    for (let turn = 0; back < 600; turn++) {
      for (let at = places.pop(); at !== undefined && sent < 600; at = places.pop()) {
        const text = `chain ${sent} `.padEnd(20, "x");
        core.view(at, 20).set(new TextEncoder().encode(text));
        const token = queue.add([{ address: at, length: 20 }], [{ address: at + 32, length: 20 }]);
        if (token === 0) {
          places.push(at);
          break;
        }
        open.set(token, { at, text });
        sent++;
        if (sent % 5 === 0) void driver.kick(0);
      }
      void driver.kick(0);
      rig.device.process(3);
      if (turn % 20 === 7) rig.move();
      for (const { token, length } of queue.usedBuffers()) {
        const { at = 0, text } = open.get(token) ?? {};
        expect(new TextDecoder().decode(core.view(at + 32, length))).toBe(text);
        open.delete(token);
        places.push(at);
        back++;
      }
    }
    expect([sent, back, open.size, rig.violations]).toEqual([600, 600, 0, []]);
  });

  it("keeps chains that a model answers for, completed in any order", async () => {
    const rig = await new ImageRig({ supports, model: () => new HoldingModel() }).start();
    rig.add(5);
    rig.serve();
    rig.model.complete(rig.model.tokens[2] ?? 0);
    rig.model.context?.finish(0);
    rig.used();
    rig.move();
    expect(rig.model.tokens).toHaveLength(4);
    for (const token of rig.model.tokens.reverse()) rig.model.complete(token);
    rig.model.context?.finish(0);
    rig.used();
    const tokens = rig.add(3);
    rig.serve();
    for (const token of rig.model.tokens) rig.model.complete(token);
    rig.model.context?.finish(0);
    expect([rig.used(), rig.queue.inFlight, rig.violations]).toEqual([tokens, 0, []]);
  });

  it("shows what a model had completed and not shown yet", async () => {
    const rig = await new ImageRig({ supports, model: () => new HoldingModel() }).start();
    const tokens = rig.add(2);
    rig.serve();
    for (const token of rig.model.tokens) rig.model.complete(token);
    rig.move();
    expect([rig.used(), rig.notifications]).toEqual([tokens, ["used 0"]]);
  });

  it("saving changes nothing, and what is restored saves the same image", async () => {
    const rig = await new ImageRig({ supports, model: () => new HoldingModel() }).start();
    rig.add(4);
    rig.device.process(2);
    const guest = () => Buffer.from(rig.core.view(0, 1 << 19));
    const before = guest();
    const image = rig.device.save();
    expect(rig.device.save()).toEqual(image);
    rig.move(image);
    expect(rig.device.save()).toEqual(image);
    expect(Buffer.compare(guest(), before)).toBe(0);
  });
});

describe("what a restored device does first", () => {
  const two = { queues: ["a", "b"].map((name) => ({ name, maxSize: 8 })) };

  it("live: every enabled queue is looked at and the driver notified of it, once", async () => {
    const rig = await testRig({ model: two }).start();
    rig.move();
    expect([rig.notifications, rig.works, rig.device.hasWork]).toEqual([["used 0", "used 1"], 1, true]);
    rig.serve();
    expect([rig.notifications, rig.model.starts]).toEqual([["used 0", "used 1"], 1]);
    rig.roundTrips();
  });

  it("before DRIVER_OK: neither, and the driver goes on where it was", () => {
    for (const status of [0, 0x01, 0x03, 0x0b]) {
      const rig = testRig({ model: two });
      driveTo(rig.device, status, FeatureSet.of("VERSION_1"));
      const setup = { size: 8, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x3000 } };
      if (status === 0x0b) rig.device.enableQueue(1, setup);
      rig.move();
      expect([rig.device.status, rig.notifications, rig.works, rig.model.starts]).toEqual([status, [], 0, 0]);
      for (const next of [0x01, 0x03, 0x0b, 0x0f].filter((next) => next > status)) {
        if (next === 0x0b) rig.device.writeFeatures(1, 1);
        rig.device.writeStatus(next);
      }
      expect([rig.device.status, rig.model.starts, rig.violations]).toEqual([0x0f, 1, []]);
      expect(rig.device.queueReady(1)).toBe(status === 0x0b);
    }
  });

  it("§3.4.1 suspended: neither; it is started when the driver resumes it, and then looks", async () => {
    const rig = await testRig({ supports: ["VERSION_1", "SUSPEND"] }).start();
    const [tokens] = [rig.add(2)];
    rig.serve();
    rig.device.writeStatus(0x1f);
    rig.serve();
    rig.move();
    rig.serve();
    expect([rig.device.status, rig.device.phase]).toEqual([0x1b, "suspended"]);
    expect([rig.notifications, rig.works, rig.model.starts]).toEqual([[], 0, 0]);
    rig.device.writeStatus(0x1f);
    rig.move(); // and again in the middle of the resume
    rig.serve();
    expect([rig.device.status, rig.device.phase, rig.model.starts]).toEqual([0x0f, "live", 1]);
    expect(rig.used()).toEqual(tokens);
    rig.roundTrips();
  });

  it("a restored suspended device that is reset starts like a new one", async () => {
    const rig = await testRig({ supports: ["VERSION_1", "SUSPEND"] }).start();
    rig.device.writeStatus(0x1f);
    rig.serve();
    rig.move();
    await rig.start();
    rig.device.writeStatus(0x1f);
    rig.serve();
    rig.device.writeStatus(0x1f);
    rig.serve();
    expect([rig.device.phase, rig.model.starts]).toEqual(["live", 1]);
  });

  it("§3.4.1 suspending: what is in progress is finished first", async () => {
    const rig = await new ImageRig({
      supports: ["VERSION_1", "SUSPEND"],
      model: () => new HoldingModel(),
    }).start();
    const tokens = rig.add(2);
    rig.serve();
    rig.device.writeStatus(0x1f);
    rig.move();
    expect([rig.device.phase, rig.notifications]).toEqual(["suspending", []]);
    for (const token of rig.model.tokens) rig.model.complete(token);
    rig.model.context?.finish(0);
    rig.serve();
    expect([rig.device.phase, rig.used()]).toEqual(["suspended", tokens]);
  });

  it("DEVICE_NEEDS_RESET and FAILED stay until the reset, with queues that are of no use", async () => {
    for (const end of ["needs-reset", "failed"]) {
      const rig = await testRig().start();
      rig.add(2);
      if (end === "failed") rig.device.writeStatus(0x8f);
      else {
        rig.core.view(Number(rig.queue.areas.driver) + 4, 2).fill(0xff); // a head out of range
        rig.serve();
      }
      const status = end === "failed" ? 0x8f : 0x4f;
      rig.violations.length = 0;
      rig.move();
      rig.serve();
      expect([rig.device.phase, rig.device.status, rig.device.queueReady(0)]).toEqual([end, status, true]);
      expect([rig.notifications, rig.model.starts, rig.violations]).toEqual([[], 0, []]);
      await rig.start();
      rig.roundTrips();
    }
  });

  it("§3.1.2 a legacy driver that is early: looked at, and not notified without cause", () => {
    const rig = testRig({ device: { profile: "transitional" } });
    rig.device.writeStatus(0x01);
    rig.device.writeStatus(0x03);
    rig.device.enableQueue(0, { size: 8, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x3000 } });
    rig.device.notify(0);
    rig.move();
    expect([rig.device.phase, rig.device.status, rig.device.isLegacy]).toEqual(["live", 0x03, true]);
    expect([rig.notifications, rig.device.hasWork, rig.model.starts]).toEqual([[], true, 1]);
    rig.device.writeStatus(0x07);
    expect([rig.device.status, rig.violations]).toEqual([0x07, []]);
  });

  it("§2.7.3 a legacy driver of a big-endian guest: its broken device is restored, a live one from elsewhere is not", () => {
    const rig = (byteOrder: "little" | "big") => {
      const made = testRig({ device: { profile: "transitional", byteOrder } });
      for (const status of [0x01, 0x03, 0x07]) made.device.writeStatus(status);
      return made;
    };
    const big = rig("big");
    big.move();
    expect([big.device.phase, big.device.status]).toEqual(["needs-reset", 0x47]);
    expect(refusalOf(big.another()[0], rig("little").device.save())).toMatch(
      /a big-endian one can't be served/,
    );
  });

  it("§2.6.1 a queue that was reset by itself may be enabled again", async () => {
    const rig = await testRig({ supports: ["VERSION_1", "RING_RESET"] }).start();
    const { size, areas } = rig.queue;
    rig.device.resetQueue(0);
    rig.move();
    expect([rig.device.queueReady(0), rig.notifications]).toEqual([false, []]);
    rig.device.enableQueue(0, { size, areas });
    expect([rig.device.queueReady(0), rig.violations]).toEqual([true, []]);
  });
});

describe("the configuration", () => {
  const values = { capacity: 7 };
  const config = [
    { name: "capacity", offset: 0, bytes: 8, anyOf: [], value: () => values.capacity },
    { name: "mode", offset: 8, bytes: 2, anyOf: [], writable: true, value: 3 },
    { name: "other", offset: 10, bytes: 1, anyOf: [], writable: true, value: 4 },
  ] as const;

  it("keeps what the driver wrote, and tells the model", async () => {
    const rig = await testRig({ model: { config } }).start();
    rig.device.writeConfig(8, 2, 0x1234);
    rig.move();
    expect([rig.device.readConfig(8, 2), rig.device.readConfig(10, 1)]).toEqual([0x1234, 4]);
    expect(rig.model.written).toEqual([{ name: "mode", value: 0x1234 }]);
    rig.device.writeStatus(0);
    expect(rig.device.readConfig(8, 2)).toBe(3);
  });

  it("§2.5 a value that changed on the way moves the generation", async () => {
    const rig = await testRig({ model: { config } }).start();
    values.capacity = 8;
    rig.device.configChanged();
    const before = rig.device.configGeneration();
    expect(rig.device.readConfig(0, 4)).toBe(8);
    const image = rig.device.save();
    rig.move(image);
    expect(rig.device.configGeneration()).toBe(before);
    values.capacity = 7;
    rig.move(image);
    expect(rig.device.readConfig(0, 4)).toBe(7);
    expect(rig.device.configGeneration()).not.toBe(before);
  });

  it("a profile that counts notifications goes on counting", async () => {
    const rig = await testRig({ model: { config }, device: { profile: "qemu" } }).start();
    for (let i = 0; i < 3; i++) rig.device.configChanged();
    rig.move();
    expect(rig.device.configGeneration()).toBe(3);
  });

  it("§3.4.1 a suspended driver sees the values of before, and hears of a change when it resumes", async () => {
    const rig = await testRig({ model: { config }, supports: ["VERSION_1", "SUSPEND"] }).start();
    values.capacity = 20;
    rig.device.writeStatus(0x1f);
    rig.serve();
    values.capacity = 21;
    rig.device.configChanged();
    rig.move();
    expect([rig.device.readConfig(0, 4), rig.notifications]).toEqual([20, []]);
    rig.device.writeStatus(0x1f);
    rig.serve();
    expect([rig.device.readConfig(0, 4), rig.notifications]).toEqual([21, ["config"]]);
  });

  it("SUSPEND-010 §3.4.2 a driver that suspends hears of a change when it resumes, and not of the move", async () => {
    const rig = await testRig({ model: { config }, supports: ["VERSION_1", "SUSPEND"] }).start();
    rig.device.writeStatus(0x1f);
    rig.device.configChanged();
    rig.move();
    expect([rig.device.phase, rig.notifications]).toEqual(["suspending", []]);
    rig.serve();
    expect([rig.device.phase, rig.notifications]).toEqual(["suspended", []]);
    rig.device.writeStatus(0x1f);
    rig.serve();
    expect([rig.device.phase, rig.notifications]).toEqual(["live", ["config"]]);
  });

  it("§3.2 a change before DRIVER_OK is still told after it", () => {
    const rig = testRig({ model: { config } });
    driveTo(rig.device, 0x0b, FeatureSet.of("VERSION_1"));
    rig.device.configChanged();
    rig.move();
    expect(rig.notifications).toEqual([]);
    rig.device.writeStatus(0x0f);
    expect(rig.notifications).toEqual(["config"]);
  });
});

describe("what the device remembers of its driver", () => {
  it("a refused set is refused again by a device that insists on a reset", () => {
    const profile = {
      ...DEVICE_PROFILES.strict,
      policies: { ...DEVICE_PROFILES.strict.policies, retryAfterRefusal: "refuse" as const },
    };
    const rig = testRig({ device: { profile } });
    driveTo(rig.device, 0x03);
    rig.device.writeStatus(0x0b);
    rig.move();
    rig.device.writeFeatures(1, 1);
    rig.device.writeStatus(0x0b);
    expect(rig.device.status).toBe(0x03);
  });

  it("its first access and its window decide whether it is a legacy one", () => {
    const first = testRig({ device: { profile: "vdpa" } });
    first.device.readConfig(0, 4);
    first.move();
    expect(first.device.isLegacy).toBe(true);
    const profile = { ...DEVICE_PROFILES.transitional, legacy: { name: "window", summary: "", isLegacy } };
    const second = testRig({ device: { profile } });
    second.device.useWindow("legacy");
    second.move();
    expect(second.device.isLegacy).toBe(true);
  });
  const isLegacy = ({ window }: { window: unknown }) => window === "legacy";
});

describe("when a device can't be saved or restored", () => {
  const codeOf = (action: () => unknown): unknown => {
    try {
      action();
    } catch (error) {
      return (error as { code?: string; message: string }).message;
    }
    return undefined;
  };

  it("chains and answers that a model doesn't save are out: the message counts them", async () => {
    const rig = await testRig().start();
    rig.model.holds = true;
    rig.add(3);
    rig.serve();
    let answer = () => {};
    rig.model.context?.later(
      new Promise<void>((resolve) => (answer = resolve)),
      () => {},
      () => {},
    );
    expect(() => rig.device.save()).toThrow(expect.objectContaining({ code: "DEVICE_BUSY" }) as Error);
    expect(codeOf(() => rig.device.save())).toMatch(/3 chains and 1 answers/);
    for (const { token } of rig.model.taken) rig.model.context?.queue(0).complete(token, 0);
    answer();
    await rig.device.idle();
    rig.move();
    expect(rig.used()).toHaveLength(3);
  });

  it("a disk: not while its backend works on a request, and then with its answer", async () => {
    const bytes = Uint8Array.from({ length: 1024 }, (_, i) => i >> 2);
    const backend = new DeferredBackend(new MemoryBackend(bytes));
    const rig = await new ImageRig({ model: () => new BlkModel(backend) }).start();
    const { core, queue, allocator } = rig;
    const at = allocator.allocate(16 + 512 + 1);
    core.view(at, 16).fill(0);
    core.view(at + 8, 1)[0] = 1; // VIRTIO_BLK_T_IN of sector 1
    const answers = [
      { address: at + 16, length: 512 },
      { address: at + 528, length: 1 },
    ];
    const token = queue.add([{ address: at, length: 16 }], answers);
    void rig.driver.kick(0);
    rig.serve();
    expect(codeOf(() => rig.device.save())).toMatch(/1 chains and 1 answers/);
    await backend.settleAll();
    await rig.device.idle();
    rig.move();
    expect([rig.used(), rig.violations]).toEqual([[token], []]);
    expect([...core.view(at + 16, 513)]).toEqual([...bytes.subarray(512), 0]);
  });

  it("a queue that its driver broke, on a profile that let it take DEVICE_NEEDS_RESET back", async () => {
    const rig = await testRig({ device: { profile: "qemu" } }).start();
    rig.core.view(Number(rig.queue.areas.driver) + 2, 2).set([0xff, 0x7f]);
    rig.device.notify(0);
    rig.serve();
    rig.device.save(); // at DEVICE_NEEDS_RESET it has no use for the queue
    rig.device.writeStatus(0x0b);
    expect([rig.device.status, rig.device.phase]).toEqual([0x0b, "setup"]);
    const broken = expect.stringContaining("queue 0 is broken, and the driver took DEVICE_NEEDS_RESET back");
    expect(() => rig.device.save()).toThrow(
      expect.objectContaining({ code: "DEVICE_BUSY", message: broken }),
    );
  });

  it("within a handler, within the model, and during a slow reset", async () => {
    const seen: unknown[] = [];
    const rig: ImageRig<TestModel> = await testRig().start();
    const attempt = () =>
      seen.push(
        codeOf(() => rig.device.save()),
        codeOf(() => rig.device.restore({})),
      );
    rig.device.connect(attempt);
    rig.add(1);
    rig.serve();
    expect(seen).toEqual([
      expect.stringMatching(/being served/),
      expect.stringMatching(/schema is undefined/),
    ]);
    let quiet = () => {};
    rig.model.reset = () => new Promise<void>((resolve) => (quiet = resolve)) as unknown as undefined;
    rig.device.writeStatus(0);
    expect(codeOf(() => rig.device.save())).toMatch(/its reset is not over/);
    quiet();
    await rig.device.idle();
    expect(rig.device.save()).toMatchObject({ phase: "reset", status: 0 });
  });

  it("an image goes into no device in use; it goes on untouched", async () => {
    const rig = await testRig().start();
    const image = rig.device.save();
    expect(() => rig.device.restore(image)).toThrow(
      expect.objectContaining({ code: "DEVICE_BUSY" }) as Error,
    );
    expect(codeOf(() => rig.device.restore(image))).toMatch(/phase live, status 0x0f/);
    rig.roundTrips();
    rig.device.writeStatus(0);
    rig.device.restore(image);
    expect(rig.device.status).toBe(0x0f);
  });

  it("a model that refuses its state refuses the image, and the device is as new", async () => {
    const rig = await new ImageRig({ model: () => new HoldingModel() }).start();
    const image = rig.device.save();
    const [device, model] = rig.another();
    const bad = forged(image, (plain) => (plain.model = { tokens: 5 }));
    expect(refusalOf(device, bad)).toBe("a holding model wants tokens");
    expect([device.status, device.queueReady(0), device.accepted.isEmpty, model.starts]).toEqual([
      0,
      false,
      true,
      0,
    ]);
    device.restore(image);
    rig.device.dispose();
    rig.use(device, model);
    rig.add(1);
    rig.serve();
    expect(model.tokens).toHaveLength(1);
  });

  it("chains or state go to no model that takes none over", async () => {
    const rig = await new ImageRig({ model: () => new HoldingModel() }).start();
    rig.add(3);
    rig.serve();
    const other = testRig();
    const { queues: _, ...image } = rig.device.save();
    expect(refusalOf(other.device, rig.device.save())).toMatch(
      /3 chains in flight, and test device takes none/,
    );
    const idle = { ...image, queues: [{ index: 0, wasReset: false, setup: null }] };
    expect(
      refusalOf(
        other.device,
        forged(idle as never, () => {}),
      ),
    ).toMatch(/takes none/);
  });

  it("a model that can't be started makes the restored device need a reset, as at DRIVER_OK", async () => {
    const rig = await testRig().start();
    const image = rig.device.save();
    const [device, model] = rig.another();
    model.start = (_: DeviceContext) => {
      throw new Error("no backend");
    };
    device.restore(image);
    expect([device.status, device.phase]).toEqual([0x4f, "needs-reset"]);
  });

  it("late answers of the device that was saved don't reach the one that was restored", async () => {
    class Late extends HoldingModel {
      answers = 0;
      override process(index: number, queue: DeviceQueue, budget: number): number {
        const count = super.process(index, queue, budget);
        if (count > 0)
          this.context?.later(
            Promise.resolve(),
            () => this.answers++,
            () => {},
          );
        return count;
      }
    }
    const rig = await new ImageRig({ model: () => new Late() }).start();
    rig.add(1);
    rig.serve();
    const before = rig.model;
    const old = rig.device;
    rig.move();
    await old.idle();
    expect([before.answers, rig.model.answers, rig.model.tokens.length]).toEqual([0, 0, 1]);
  });
});

describe("vhost's vring base", () => {
  const enabled = (supports: readonly string[], setup: object) => {
    const rig = testRig();
    driveTo(rig.device, 0x0b, FeatureSet.from(supports));
    rig.device.enableQueue(0, {
      size: 8,
      areas: { descriptor: 0x1000, driver: 0x2000, device: 0x3000 },
      ...setup,
    });
    return rig.device;
  };
  const refused = (device: VirtioDevice, base: number) => {
    expect(() => device.startQueueAt(0, base)).toThrow(
      expect.objectContaining({ code: "SNAPSHOT_INVALID" }) as Error,
    );
    try {
      device.startQueueAt(0, base);
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };

  it.each([
    ["split", 65530],
    ["packed", 0x8003_8003],
    ["packed", 0x0005_0005],
  ] as const)("%s: a quiet queue goes on from %i alone", async (layout, base) => {
    const supports = LAYOUTS[layout] ?? [];
    const rig = await testRig({ supports }).start();
    const { areas, size } = rig.queue;
    rig.queue.startAt(base); // the driver's half and its side of the ring
    if (layout === "split") rig.core.view(Number(areas.device) + 2, 2).set([base & 0xff, base >> 8]);
    const [device, model] = rig.another();
    driveTo(device, 0x0b, FeatureSet.from(supports));
    device.enableQueue(0, { size, areas });
    device.startQueueAt(0, base);
    expect(device.vringBase(0)).toBe(base);
    device.writeStatus(0x0f);
    rig.device.dispose();
    rig.use(device, model);
    rig.roundTrips(40);
    expect(rig.violations).toEqual([]);
  });

  it("a base with chains in flight is refused: it doesn't say which", () => {
    const split = enabled(["VERSION_1"], {});
    expect(refused(split, 3)).toMatch(/used index 0: 3 chains in flight/);
    expect(refused(split, 65536)).toMatch(/65536 is not in 0…65535/);
    const packed = enabled(["VERSION_1", "RING_PACKED"], {});
    expect(refused(packed, 0x8006_0001)).toMatch(/3 descriptors in flight/);
    expect(refused(packed, 0x8002_0005)).toMatch(/11 apart in a packed ring of 8/);
    expect(refused(packed, 0x8006_8001)).toMatch(/-5 apart in a packed ring of 8/);
    expect(refused(packed, 0x8009_8009)).toMatch(/slot 9 of a packed ring of 8/);
    expect(refused(packed, -1)).toMatch(/-1 is no u32/);
    expect(packed.vringBase(0)).toBe(0x8000_8000);
    expect(() => packed.vringBase(1)).toThrow(expect.objectContaining({ code: "QUEUE_NOT_READY" }) as Error);
  });
});

describe("any device that a driver can bring about", () => {
  const config = [{ name: "mode", offset: 0, bytes: 4, anyOf: [], writable: "any-time", value: 1 }] as const;
  const queues = ["a", "b"].map((name) => ({ name, maxSize: 8 }));
  const words = [0, 1, 5, 0x0d, 0x801, 0x100, 0x8000_0000, 0xffff_ffff];
  const status = fc.oneof(
    fc.constantFrom(0x01, 0x03, 0x0b, 0x0f, 0x1f, 0x8f, 0x07, 0x04, 0x40, 0x20, 0x1b),
    fc.nat(255),
  );
  type Step = (device: VirtioDevice) => unknown;
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: status.map(
        (value): Step =>
          (device) =>
            device.writeStatus(value),
      ),
    },
    {
      weight: 4,
      arbitrary: fc.tuple(fc.nat(4), fc.constantFrom(...words)).map(
        ([word, value]): Step =>
          (device) =>
            device.writeFeatures(word, value),
      ),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(fc.nat(1), fc.constantFrom(4, 8)).map(
        ([index, size]): Step =>
          (device) => {
            const at = 0x8000 * (index + 1);
            device.enableQueue(index, {
              size,
              areas: { descriptor: at, driver: at + 0x1000, device: at + 0x2000 },
            });
          },
      ),
    },
    fc.nat(1).map(
      (index): Step =>
        (device) =>
          device.notify(index),
    ),
    fc.nat(1).map(
      (index): Step =>
        (device) =>
          device.resetQueue(index),
    ),
    fc.nat(255).map(
      (value): Step =>
        (device) =>
          device.writeConfig(0, 1, value),
    ),
    fc.constantFrom<Step>(
      (device) => device.process(),
      (device) => device.configChanged(),
      (device) => device.readConfig(0, 4),
      (device) => device.configGeneration(),
      (device) => device.useWindow("legacy"),
    ),
  );
  /** Shared by all runs: guest RAM stays zero, so the rings stay empty. */
  const { core } = testRig();

  it.each(Object.keys(DEVICE_PROFILES))(
    "profile %s: is saved, restored, and saves the same image",
    (profile) => {
      const seen = new Map<string, number>();
      fc.assert(
        fc.property(
          fc.constantFrom(0, 0x03, 0x0b, 0x0f, 0x1f),
          fc.array(step, { maxLength: 10 }),
          (start, steps) => {
            const make = () => new VirtioDevice(core, new TestModel({ config, queues }), { profile });
            const device = make();
            for (const next of [0x01, 0x03, 0x0b, 0x0f, 0x1f].filter((next) => next <= start)) {
              if (next === 0x0b) device.writeFeatures(1, 0x0801); // VERSION_1 and SUSPEND
              device.writeStatus(next);
            }
            for (const act of steps) act(device);
            const image = device.save();
            const other = make();
            other.restore(JSON.stringify(image));
            expect(other.save()).toEqual(image);
            expect([other.phase, other.status, other.isLegacy]).toEqual([
              device.phase,
              device.status,
              device.isLegacy,
            ]);
            seen.set(image.phase, (seen.get(image.phase) ?? 0) + 1);
            device.dispose();
            other.dispose();
          },
        ),
        { numRuns: 200, seed: 241 },
      );
      expect(seen.size).toBeGreaterThan(4);
    },
  );
});
