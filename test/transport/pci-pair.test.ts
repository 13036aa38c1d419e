// Both sides of virtio-pci together (§4.1): a driver on PciPort, its accesses carried to PciTransport and a device.
import { describe, expect, it } from "vitest";
import { DEVICE_PROFILES } from "../../src/device/profiles";
import { DRIVER_PROFILES } from "../../src/driver/profiles";
import {
  PCI_CAP_ID_MSIX,
  PCI_CAPABILITY_LIST,
  PCI_MSIX_ENTRY_DATA,
  PCI_MSIX_ENTRY_SIZE,
  PCI_MSIX_ENTRY_VECTOR_CTRL,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
} from "../../src/spec/pci-header";
import { PciTransport } from "../../src/transport/pci";
import type { PciBus } from "../../src/transport/pci-bus";
import type { PciOptions } from "../../src/transport/pci-options";
import { PciPort, type PciPortOptions } from "../../src/transport/pci-port";
import { TestModel } from "../control-rig";
import { pairTests } from "./pair-tests";
import {
  type Access,
  BUSES,
  echo,
  echoes,
  echoesTwice,
  type PairOptions,
  pair,
  start,
  turn,
  type Wire,
} from "./port-pair";

/** A function as a driver reaches it. */
function busOf(transport: PciTransport, access: Access): PciBus {
  return {
    readConfig: (offset, bytes) => access(() => transport.readConfig(offset, bytes)),
    writeConfig: (offset, bytes, value) => access(() => transport.writeConfig(offset, value, bytes)),
    barSize: (bar) => access(() => transport.bars.find(({ index }) => index === bar)?.size ?? 0),
    readBar: (bar, offset, bytes) => access(() => transport.readBar(bar, offset, bytes)),
    writeBar: (bar, offset, bytes, value) => access(() => transport.writeBar(bar, offset, value, bytes)),
  };
}

/** A function with its interrupt line. */
const pci =
  (options: PciOptions = {}, use: PciPortOptions = {}): Wire<PciPort, PciTransport> =>
  async (device, access, onRaised) => {
    const onInterrupt = (level: boolean) => {
      if (level) onRaised();
    };
    const transport = new PciTransport(device, { onInterrupt, ...options });
    const port = await PciPort.open(busOf(transport, access), use);
    return {
      port,
      transport,
      isRaised: () => transport.interruptLevel,
      handle: () => port.handleInterrupt(),
    };
  };

/** A function with MSI-X on, as its platform sets it up, and the vectors that its driver wants. */
const pciMessages =
  (use: PciPortOptions, options: PciOptions = {}): Wire<PciPort, PciTransport> =>
  async (device, access, onRaised) => {
    const messages: number[] = [];
    const onInterrupt = () => {
      throw new Error("the line was used");
    };
    const onMessage = ({ data }: { data: number }) => {
      messages.push(data & 0xff);
      onRaised();
    };
    const transport = new PciTransport(device, { onInterrupt, onMessage, ...options });
    let at = transport.readConfig(PCI_CAPABILITY_LIST, 1);
    while (transport.readConfig(at, 1) !== PCI_CAP_ID_MSIX) at = transport.readConfig(at + 1, 1);
    for (let vector = 0; vector < 3; vector++) {
      transport.writeBar(1, PCI_MSIX_ENTRY_SIZE * vector, 0xfee0_0000, 4);
      transport.writeBar(1, PCI_MSIX_ENTRY_SIZE * vector + PCI_MSIX_ENTRY_DATA, 0x4100 + vector, 4);
      transport.writeBar(1, PCI_MSIX_ENTRY_SIZE * vector + PCI_MSIX_ENTRY_VECTOR_CTRL, 0, 4);
    }
    transport.writeConfig(at + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
    const port = await PciPort.open(busOf(transport, access), use);
    return {
      port,
      transport,
      isRaised: () => messages.length > 0,
      handle: () => port.handleVector(messages.shift() ?? 0),
    };
  };

const CLAUSES = {
  queueReset: "PCI-047 PCI-048 PCI-049 §4.1.4.3.2 driver:",
  used: "§4.1.5.5 driver:",
};

describe("through BARs", () => pairTests(pci(), CLAUSES));
describe("through configuration space", () => pairTests(pci({}, { access: "pci-cfg" }), CLAUSES));
describe("through ports, one notification address for all queues", () =>
  pairTests(pci({ structures: { kind: "io" }, notifyOffMultiplier: 0 }), CLAUSES));
describe.each(BUSES)("with MSI-X, a bus that answers %s", (when) => {
  const later = when === "later";
  const vectors = { config: 0, queue: (index: number) => index + 1 };
  const layout = [
    { name: "mode", offset: 0, bytes: 4, anyOf: [], writable: "after-features-ok", value: 3 },
  ] as const;
  const model = () =>
    new TestModel({
      deviceId: 63,
      config: layout.map((field) => ({ ...field, writable: true })),
      queues: ["a", "b"].map((name) => ({ name, maxSize: 8 })),
    });

  it.each([["split"], ["packed", "RING_PACKED"]])(
    "%s: an echo comes back by messages",
    async (_, ...more) => {
      const supports = ["VERSION_1", "EVENT_IDX", "RING_RESET", ...more];
      const rig = await start(await pair(pciMessages({ vectors }), echo(), supports, { later }));
      await echoes(rig, 12);
      await rig.driver.resetQueue(0, { queueSize: 32 });
      await echoes(rig, 3);
      expect([rig.findings(), rig.codes, rig.count() > 0]).toEqual([[], [], true]);
      await start(rig); // no vector is mapped after the reset, and all are again
      await echoes(rig, 3);
      expect([rig.findings(), rig.codes]).toEqual([[], []]);
    },
  );

  it("§4.1.5.5 driver: a message means the queues of its vector, or the configuration", async () => {
    const rig = await start(
      await pair(pciMessages({ vectors }), model(), ["VERSION_1"], {
        later,
        driver: { configLayout: layout },
      }),
    );
    rig.driver.queues[1]?.add([{ address: 0x80000, length: 16 }]);
    await rig.driver.kick(1);
    for (let turns = 0; turns < 50 && rig.used.length === 0; turns++) await turn();
    expect([rig.used, rig.changes.count]).toEqual([[1], 0]);
    rig.device.configChanged();
    for (let turns = 0; turns < 50 && rig.changes.count === 0; turns++) await turn();
    expect([rig.used, rig.changes.count, rig.findings(), rig.codes]).toEqual([[1], 1, [], []]);
  });

  it("PCI-097 §4.1.5.1.2.2 driver: gets by with fewer vectors, and with one for everything", async () => {
    for (const use of [{ config: 0, queue: () => 0 }, { queue: () => 0 }]) {
      const rig = await start(
        await pair(pciMessages({ vectors: use }, { vectors: 1 }), echo(), ["VERSION_1"], { later }),
      );
      await echoes(rig, 3);
      expect([rig.findings(), rig.codes]).toEqual([[], []]);
    }
  });
});

describe.each(BUSES)("what only PCI has, a bus that answers %s", (when) => {
  const later = when === "later";

  it.each([[[]], [["NOTIFICATION_DATA"]], [["NOTIFICATION_DATA", "RING_PACKED"]]])(
    "PCI-076 PCI-077 §4.1.5.2.1 driver: a queue is notified by the device's word for it, with %j",
    async (more) => {
      const { strict } = DEVICE_PROFILES;
      const offer = ["VERSION_1", "NOTIF_CONFIG_DATA", ...more];
      const device = { profile: { ...strict, honours: [...strict.honours, "NOTIF_CONFIG_DATA"] }, offer };
      const wire = pci({ notifConfigData: (queue) => 0xbeef - queue });
      const rig = await start(await pair(wire, echo(), offer, { later, device }));
      await echoes(rig, 6);
      expect([rig.findings(), rig.codes]).toEqual([[], []]);
    },
  );

  it("PCI-012 PCI-030 a wide field is read in one version, through more changes than 8 bits can count", async () => {
    const wide = { value: 0n };
    const config = [{ name: "wide", offset: 0, bytes: 8, anyOf: [], value: () => wide.value }];
    const configLayout = [{ name: "wide", offset: 0, bytes: 8, anyOf: [], writable: false }] as const;
    const rig = await start(
      await pair(pci(), new TestModel({ deviceId: 63, config }), ["VERSION_1"], {
        later,
        driver: { configLayout },
      }),
    );
    for (let round = 0; round < 300; round++) {
      wide.value = BigInt(round) * 0x1_0000_0001n;
      rig.device.configChanged();
      expect(await rig.driver.readConfigField("wide")).toBe(wide.value);
    }
    expect([rig.findings(), rig.codes]).toEqual([[], []]);
  });

  const PROFILES = Object.keys(DRIVER_PROFILES).filter((name) => !["legacy", "misbehaving"].includes(name));
  it.each(PROFILES)("driver profile %s initialises the strict device", async (profile) => {
    const ring = [
      "VERSION_1",
      "RING_PACKED",
      "EVENT_IDX",
      "NOTIFICATION_DATA",
      "INDIRECT_DESC",
      "RING_RESET",
    ];
    const rig = await start(await pair(pci(), echo(), ring, { later, driver: { profile } }));
    expect(rig.driver.ring?.layout).toBe("packed");
    await echoes(rig, 3);
    expect([rig.findings(), rig.codes]).toEqual([[], []]);
  });

  it.each([
    ["misbehaving:accepts-late", "FEATURES_FROZEN"],
    ["misbehaving:sets-up-queues-early", "STATUS_SEQUENCE"],
    ["misbehaving:kicks-early", undefined],
  ])("a driver that is %s is noticed, and notifies as was negotiated", async (profile, code) => {
    const ring = ["VERSION_1", "NOTIFICATION_DATA"];
    const rig = await start(await pair(pci(), echo(), ring, { later, driver: { profile } }));
    await echoes(rig, 3);
    expect([rig.driver.negotiated?.names(), new Set(rig.codes)]).toEqual([
      expect.arrayContaining(ring),
      new Set(code === undefined ? [] : [code]),
    ]);
    expect(rig.findings().length).toBeGreaterThan(0);
  });
});

describe.each(BUSES)("a transitional device, a bus that answers %s", (when) => {
  const later = when === "later";
  const entropy = () => ({ ...echo(), deviceId: 4 });
  const options = (profile: string): PairOptions => ({
    later,
    device: { profile: "transitional" },
    driver: { profile, queueSize: 8 },
  });

  it.each(["linux-current", "legacy"])(
    "PCI-087 §4.1.4.10 driver %s echoes through the legacy interface",
    async (profile) => {
      const wire = pci({ transitional: true }, { legacy: true });
      const rig = await start(await pair(wire, entropy(), ["VERSION_1", "EVENT_IDX"], options(profile)));
      expect([rig.port.isLegacy, rig.port.deviceId, rig.driver.isLegacy]).toEqual([true, 4, true]);
      // Eight descriptors were wanted; the device has 64, and no register to be told otherwise.
      expect([rig.driver.ring?.layout, rig.driver.queues[0]?.size]).toEqual(["split", 64]);
      // The second time page numbers are 0 again after the reset.
      await echoesTwice(rig);
    },
  );

  it("PCI-085 PCI-088 §4.1.4.10 with MSI-X, whose registers move the configuration", async () => {
    const vectors = { config: 0, queue: () => 1 };
    const wire = pciMessages({ legacy: true, vectors }, { transitional: true });
    const rig = await start(await pair(wire, entropy(), ["EVENT_IDX"], options("legacy")));
    await echoes(rig, 6);
    expect([rig.findings(), rig.codes, rig.count() > 0]).toEqual([[], [], true]);
  });

  it.each([[[]], [["RING_PACKED"]]])(
    "is used through its modern interface unless asked otherwise, with %j",
    async (more) => {
      const supports = ["VERSION_1", ...more];
      const rig = await start(
        await pair(pci({ transitional: true }), entropy(), supports, options("linux-current")),
      );
      expect([rig.port.isLegacy, rig.port.revision, rig.driver.isLegacy]).toEqual([false, 0, false]);
      expect(rig.driver.queues[0]?.size).toBe(8);
      await echoes(rig, 6);
      expect([rig.findings(), rig.codes]).toEqual([[], []]);
    },
  );

  it("PCI-092 PCI-093 §4.1.5.1.1.1 a modern one has no legacy interface", async () => {
    await expect(pair(pci({}, { legacy: true }), echo(), ["VERSION_1"], { later })).rejects.toThrow(
      expect.objectContaining({ code: "PCI_ID" }),
    );
  });
});
