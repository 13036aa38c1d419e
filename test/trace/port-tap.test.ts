// The tap on a port: it changes nothing of what it passes on, and tells of it once, in the order of things.
import { describe, expect, it } from "vitest";
import type { NotificationHandler, TransportPort } from "../../src/driver/port";
import type { ControlEvent } from "../../src/negotiation/control-event";
import { tapPort } from "../../src/trace/port-tap";
import { makeRig } from "../control-rig";

/** A tapped port of a test device, and what was told. */
function tapped(later = false) {
  const told: ControlEvent[] = [];
  const rig = makeRig({ later });
  return { rig, told, port: tapPort(rig.port, (event) => told.push(event)) };
}

const areas = { descriptor: 0, driver: 0x1000, device: 0x2000 };

describe.each([false, true])("tapPort, by Promise: %s", (later) => {
  it("gives back what the port gives, at once or later as it does", async () => {
    const { port, rig } = tapped(later);
    const status = port.readStatus();
    expect(status instanceof Promise).toBe(later);
    expect(await status).toBe(0);
    expect(await port.readDeviceFeatures(1)).toBe(rig.device.readFeatures(1));
    expect(await port.queueMaxSize(0)).toBe(16);
    expect(await port.queueReady(0)).toBe(false);
    expect(await port.configGeneration()).toBe(0);
    expect(await port.readConfig(0, 4)).toBe(0);
    expect([port.deviceId, port.transport, port.refusal?.()]).toEqual([0, "loopback", undefined]);
  });

  it("tells of each access once, with its register, width and value", async () => {
    const { port, told } = tapped(later);
    await port.writeStatus(0);
    await port.readStatus();
    await port.readDeviceFeatures(1);
    await port.writeDriverFeatures(1, 1);
    await port.readConfig(4, 2);
    await port.writeConfig(8, 1, 0xff);
    await port.configGeneration();
    await port.queueMaxSize(3);
    await port.enableQueue(2, { size: 8, areas });
    await port.queueReady(2);
    await port.notify(0x10002);
    expect(told.map(({ access }) => access)).toEqual([
      { register: "status", how: "write", value: 0 },
      { register: "status", how: "read", value: 0 },
      { register: "device-features", index: 1, how: "read", value: expect.any(Number) },
      { register: "driver-features", index: 1, how: "write", value: 1 },
      { register: "config", index: 4, bytes: 2, how: "read", value: 0 },
      { register: "config", index: 8, bytes: 1, how: "write", value: 0xff },
      { register: "config-generation", how: "read", value: 0 },
      { register: "queue-size", index: 3, how: "read", value: 0 },
      { register: "queue-enable", index: 2, how: "write", value: 8 },
      { register: "queue-enable", index: 2, how: "read", value: 0 },
      { register: "notify", how: "write", value: 0x10002 },
    ]);
    expect(told.every(({ side, section }) => side === "driver" && section !== "")).toBe(true);
    expect(told.map(({ step }) => step).join(" ")).toBe(
      "status status features features config config config queue queue queue notify",
    );
  });

  it("tells of queue resets and stops, and has none where the port has none", async () => {
    const { port: whole, told, rig } = tapped(later);
    await whole.resetQueue?.(3);
    expect(await whole.queueInReset?.(3)).toBe(false);
    await whole.disableQueue?.(2);
    expect(told.map(({ access, step, section }) => [access, step, section])).toEqual([
      [{ register: "queue-reset", index: 3, how: "write", value: 1 }, "queue", "2.6.1"],
      [{ register: "queue-reset", index: 3, how: "read", value: 0 }, "queue", "2.6.1"],
      [{ register: "queue-enable", index: 2, how: "write", value: 0 }, "queue", "2.6"],
    ]);
    expect(rig.port.log.map(([name, index]) => [name, index])).toEqual([
      ["resetQueue", 3],
      ["queueInReset", 3],
      ["disableQueue", 2],
    ]);
    const { resetQueue: _, queueInReset: __, disableQueue: ___, ...plain } = rig.port;
    const bare = tapPort(plain as TransportPort, () => {});
    const optional = ["resetQueue", "queueInReset", "disableQueue", "copiesMemory", "fixedQueueSize"];
    expect(optional.filter((name) => name in bare)).toEqual([]);
    const port = { ...rig.port, copiesMemory: true, fixedQueueSize: true };
    expect(tapPort(port, () => {})).toMatchObject({ copiesMemory: true, fixedQueueSize: true });
  });

  it("shows the status before a write as it was read or written last", async () => {
    const { port, told } = tapped(later);
    for (const value of [0, 1, 3]) await port.writeStatus(value);
    expect(told.map(({ before, after }) => [before, after])).toEqual([
      [undefined, "0x00"],
      ["0x00", "0x01"],
      ["0x01", "0x03"],
    ]);
  });
});

it.each([
  [{}, "status interrupt:config status notify interrupt:used interrupt:config"],
  [
    { whileLive: true },
    "status notify interrupt:used interrupt:config status notify interrupt:used interrupt:config",
  ],
])("is silent about a running device's queues unless it is asked: %o", (options, expected) => {
  const told: string[] = [];
  let raise: NotificationHandler = () => {};
  const inner = {
    writeStatus: () => {},
    notify: () => {},
    onInterrupt: (handler: NotificationHandler) => {
      raise = handler;
    },
  } as unknown as TransportPort;
  const port = tapPort(
    inner,
    ({ step, field }) => told.push(step === "interrupt" ? `${step}:${field}` : step),
    options,
  );
  port.onInterrupt(() => {});
  for (const status of [0xf, 0x1f]) {
    port.writeStatus(status);
    port.notify(0);
    raise("used", 0);
    raise("config");
  }
  expect(told.join(" ")).toBe(expected);
});

it("tells of a write before the interrupt that it causes, and passes the interrupt on", () => {
  const told: string[] = [];
  let raise: NotificationHandler = () => {};
  const heard: unknown[] = [];
  const inner = {
    deviceId: 2,
    transport: "pci",
    writeStatus: () => raise("config"),
    notify: () => raise("used", 1),
    onInterrupt: (handler: NotificationHandler) => {
      raise = handler;
    },
  } as unknown as TransportPort;
  const port = tapPort(inner, ({ side, step, field, note }) =>
    told.push([side, step, field, note].join(" ")),
  );
  port.onInterrupt((...what) => heard.push(what));
  port.writeStatus(0xb);
  port.notify(1);
  expect(told).toEqual([
    "driver status status written",
    "device interrupt config ",
    "driver notify queue written",
    "device interrupt used queue 1",
  ]);
  expect(heard).toEqual([
    ["config", undefined],
    ["used", 1],
  ]);
  expect(port.refusal).toBeUndefined();
});
