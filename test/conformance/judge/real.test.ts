// The judge beside a real driver and a real device: what it finds of them over a tapped loopback, and that it sees
// what a driver does wrong through ports that answer at once and by Promise.
import { describe, expect, it } from "vitest";
import type { JudgeContext } from "../../../src/conformance/context";
import type { Finding } from "../../../src/conformance/finding";
import { judge } from "../../../src/conformance/judge";
import type { ConfigField } from "../../../src/device/model";
import { configFields } from "../../../src/device/model";
import { VirtioDriver } from "../../../src/driver/driver";
import { VirtioError } from "../../../src/errors";
import { tapPort } from "../../../src/trace/port-tap";
import { Transcript } from "../../../src/trace/transcript";
import { makeRig, type RigOptions } from "../../control-rig";

const strictOffer = ["VERSION_1", "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "IN_ORDER", "RING_RESET"];

interface Tapped {
  readonly driver: VirtioDriver;
  readonly rig: ReturnType<typeof makeRig>;
  readonly transcript: Transcript;
  findings(): readonly Finding[];
}

/** A rig whose own driver stays idle; another one works through a tap. */
function tapped(options: RigOptions, context: JudgeContext = {}): Tapped {
  const rig = makeRig(options);
  const transcript = new Transcript({ clock: () => 0 });
  const driver = new VirtioDriver({
    core: rig.core,
    allocator: rig.allocator,
    port: tapPort(rig.port, transcript.sink),
    supports: options.supports ?? strictOffer,
    ...options.driver,
  });
  const findings = () => judge(transcript.events, { transport: "loopback", ...context });
  return { driver, rig, transcript, findings };
}

const net: RigOptions["model"] = {
  deviceType: "net",
  deviceId: 1,
  offers: ["MAC", "MTU", "STATUS", "CTRL_VQ", "MQ"],
  config: configFields("net", { mac: 0x0002_0304_0506n, mtu: 60, status: 1, max_virtqueue_pairs: 2 }),
};
const blk: RigOptions["model"] = {
  deviceType: "blk",
  deviceId: 2,
  offers: ["FLUSH", "CONFIG_WCE", "BLK_SIZE", "TOPOLOGY"],
  config: configFields("blk", { capacity: 4096n, blk_size: 512, writeback: 1 }),
};

describe.each([false, true])("a real driver and device over a tap, by Promise: %s", (later) => {
  it("net as Linux does it: accept, look, drop MTU, accept again; nothing is found", async () => {
    const { driver, findings } = tapped(
      {
        model: net,
        later,
        supports: [...strictOffer, "MAC", "MTU", "CTRL_VQ", "MQ"],
        driver: {
          validate: async ({ readConfigFields }) => {
            const [mac, size] = await readConfigFields(["mac", "mtu"]);
            return mac !== undefined && Number(size) < 68 ? ["MTU"] : [];
          },
        },
      },
      { deviceType: "net" },
    );
    expect(await driver.initialize()).toMatchObject({ ok: true });
    expect(await driver.readConfigField("max_virtqueue_pairs")).toBe(2);
    await driver.reset();
    expect(await driver.initialize()).toMatchObject({ ok: true });
    expect(findings()).toEqual([]);
  });

  it("blk: a wide field, a write, a change of the device, a breakdown; nothing is found", async () => {
    const { driver, rig, findings } = tapped(
      { model: blk, later, supports: [...strictOffer, "FLUSH", "CONFIG_WCE", "BLK_SIZE"] },
      { deviceType: "blk" },
    );
    await driver.initialize();
    expect(await driver.readConfigField("capacity")).toBe(4096n);
    await driver.writeConfigField("writeback", 0);
    rig.device.configChanged();
    await driver.check();
    rig.device.needsReset(new VirtioError("INTERNAL", "broken"));
    await expect(driver.check()).rejects.toMatchObject({ code: "DEVICE_NEEDS_RESET" });
    await driver.reset();
    expect(findings()).toEqual([]);
  });

  it("a refusal: the driver sets FAILED and starts over; nothing is found", async () => {
    let refuses = true;
    const { driver, findings } = tapped({
      model: { validate: () => (refuses ? "not today" : undefined) },
      later,
    });
    expect(await driver.initialize()).toMatchObject({ ok: false, code: "FEATURES_REFUSED" });
    refuses = false;
    expect(await driver.initialize()).toMatchObject({ ok: true });
    expect(findings()).toEqual([]);
  });

  it("RESERVED-006 §6.1: a driver without packed rings is the one thing found", async () => {
    const { driver, findings } = tapped({ later, supports: ["VERSION_1"] });
    await driver.initialize();
    expect(findings().map(({ clause, level }) => [clause, level])).toEqual([["RESERVED-006", "SHOULD"]]);
  });

  it("SEED241-007 §2.5.1: a field of a feature that the driver leaves out", async () => {
    const { driver, findings, transcript } = tapped(
      { model: net, later, supports: strictOffer },
      { deviceType: "net" },
    );
    await driver.initialize();
    await driver.readConfigField("mtu");
    const [finding] = findings();
    expect(finding).toMatchObject({ clause: "SEED241-007", side: "driver", level: "SHOULD" });
    expect(finding?.what).toBe(
      "mtu read (0x003c) at status 0x0f (ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK): MTU (3) is not accepted",
    );
    expect(transcript.events[finding?.seq ?? 0]?.access).toMatchObject({ register: "config", index: 10 });
  });

  it("INIT-008 §3.1.1: a notification before DRIVER_OK, seen through the tap", async () => {
    const { rig, transcript, findings } = tapped({ later });
    const port = tapPort(rig.port, transcript.sink);
    await port.writeStatus(0);
    expect(await port.readStatus()).toBe(0);
    await port.writeStatus(1);
    await port.notify(0);
    expect(findings().map(({ clause }) => clause)).toEqual(["INIT-008"]);
  });
});

it("takes one word for an access that both the device and a tap tell of", async () => {
  const rig = makeRig({ model: blk });
  const driver = new VirtioDriver({
    core: rig.core,
    allocator: rig.allocator,
    port: tapPort(rig.port, rig.transcript.sink),
    supports: [...strictOffer, "BLK_SIZE"],
  });
  await driver.initialize();
  await driver.readConfigFields(["capacity", "blk_size"]);
  await driver.readConfigField("topology.min_io_size");
  await driver.reset();
  const findings = judge(rig.transcript.events, { deviceType: "blk", transport: "loopback" });
  expect(findings.map(({ clause }) => clause)).toEqual(["SEED241-007"]);
});

it("CONFIG-008 §2.5: a device whose value changes and whose generation does not", async () => {
  const field: ConfigField = { name: "limit", offset: 0, bytes: 4, anyOf: [], value: 1 };
  const { rig } = tapped({ model: { config: [field] } });
  const transcript = new Transcript({ clock: () => 0 });
  let value = 0;
  const port = tapPort(
    { ...rig.port, configGeneration: () => 7, readConfig: () => value++ } as never,
    transcript.sink,
  );
  await port.configGeneration();
  await port.readConfig(0, 4);
  await port.readConfig(0, 4);
  await port.configGeneration();
  const context: JudgeContext = { configLayout: [{ ...field, writable: false }] };
  expect(judge(transcript.events, context)).toMatchObject([
    {
      clause: "CONFIG-008",
      side: "device",
      what: "limit read 0x00000000, then 0x00000001, generation 7 before and after",
    },
  ]);
});
