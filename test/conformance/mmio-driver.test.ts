// Area "mmio" (§4.2), the clauses of the driver that hold for each of its accesses: whole lives of a driver, from the probe
// to a second reset, over a bus that logs. Those of single steps are in test/transport/mmio-port.test.ts.
import { beforeAll, describe, expect, it } from "vitest";
import type { DriverOptions } from "../../src/driver/driver";
import { DRIVER_PROFILES } from "../../src/driver/profiles";
import * as mmio from "../../src/spec/mmio";
import { TestModel } from "../control-rig";

import { REGISTERS } from "../transport/mmio-registers";
import { type MmioAccess, mmioWire } from "../transport/mmio-wire";
import { pair, turn } from "../transport/port-pair";

const CONFIG = [
  { name: "capacity", offset: 0, bytes: 8, anyOf: [], writable: false, value: 0x1_0000_0002n },
  { name: "mac", offset: 8, bytes: 6, anyOf: [], writable: false, value: 0x0605_0403_0201n },
  { name: "mtu", offset: 14, bytes: 2, anyOf: [], writable: false, value: 1500 },
  { name: "mode", offset: 16, bytes: 4, anyOf: [], writable: "after-features-ok", value: 3 },
  { name: "flag", offset: 20, bytes: 1, anyOf: [], writable: "after-features-ok", value: 1 },
] as const;
const NAMES = CONFIG.map(({ name }) => name);
const PROFILES = Object.keys(DRIVER_PROFILES).filter((name) => !/^(legacy|misbehaving)$/.test(name));
const LIVES = [
  ...PROFILES.map((profile) => [2, profile] as const),
  ...(["linux-current", "legacy"] as const).map((profile) => [1, profile] as const),
];

/** Everything that a driver can do to a device, and what it did to the registers for that. */
async function life(version: 1 | 2, profile: string): Promise<readonly MmioAccess[]> {
  const queues = ["a", "b"].map((name) => ({ name, maxSize: 8 }));
  const model = new TestModel({ deviceId: 63, config: CONFIG, queues });
  const driver: Partial<DriverOptions> = {
    profile,
    configLayout: CONFIG,
    validate: async ({ readConfigField }) => ((await readConfigField("mtu")) === 0 ? ["EVENT_IDX"] : []),
  };
  const device = version === 1 ? { profile: "transitional" } : {};
  const sharedMemory = [{ id: 0, base: 0x1000_0000, length: 0x1000 }];
  const supports = ["VERSION_1", "EVENT_IDX", ...(version === 1 ? [] : ["SUSPEND", "RING_RESET"])];
  const accesses: MmioAccess[] = [];
  const window = { version, ...(version === 1 ? {} : { sharedMemory }) };
  const wire = mmioWire(window, (access) => accesses.push(access));
  const rig = await pair(wire, model, supports, { device, driver });
  for (let round = 0; round < 2; round++) {
    expect(await rig.driver.initialize()).toMatchObject({ ok: true });
    await rig.driver.readConfigFields(NAMES);
    for (const name of NAMES) await rig.driver.readConfigField(name);
    for (const name of ["mode", "flag"]) await rig.driver.writeConfigField(name, round);
    rig.driver.queues[1]?.add([{ address: 0x80000, length: 16 }]);
    await rig.driver.kick(1);
    rig.device.configChanged();
    for (let turns = 0; turns < 50 && (rig.used.length === 0 || rig.changes.count === 0); turns++)
      await turn();
    if (version === 2) {
      await rig.driver.suspend();
      await rig.driver.resume();
      await rig.driver.resetQueue(0, { queueSize: 4 });
    }
    await rig.port.disableQueue(0);
    await rig.driver.reset();
  }
  await rig.driver.fail();
  expect([rig.used.length > 0, rig.changes.count, rig.codes, rig.findings()]).toEqual([true, 2, [], []]);
  return accesses;
}

const isConfig = ({ offset }: MmioAccess) => offset >= mmio.VIRTIO_MMIO_CONFIG;
const isControl = (access: MmioAccess) => !isConfig(access);

describe.each(LIVES)("version %i, profile %s", (version, profile) => {
  const { readable, writable } = REGISTERS[version];
  let accesses: readonly MmioAccess[] = [];
  beforeAll(async () => {
    accesses = await life(version, profile);
  });

  it("MMIO-013 §4.2.2.2 driver: accesses nothing but registers and fields", () => {
    const unknown = accesses.filter(
      ({ offset }) => offset < 0x100 && !readable.includes(offset) && !writable.includes(offset),
    );
    const end = Math.max(...CONFIG.map(({ offset, bytes }) => offset + bytes));
    const beyond = accesses.filter(({ offset, bytes }) => offset + bytes > mmio.VIRTIO_MMIO_CONFIG + end);
    expect([unknown, beyond, accesses.length > 150]).toEqual([[], [], true]);
  });

  it("MMIO-014 §4.2.2.2 driver: writes no read-only register", () => {
    const writes = accesses.filter(isControl).filter(({ how }) => how === "write");
    expect(writes.filter(({ offset }) => !writable.includes(offset))).toEqual([]);
    expect(new Set(writes.map(({ offset }) => offset)).size).toBeGreaterThan(version === 1 ? 9 : 14);
  });

  it("MMIO-015 §4.2.2.2 driver: reads no write-only register", () => {
    const reads = accesses.filter(isControl).filter(({ how }) => how === "read");
    expect(reads.filter(({ offset }) => !readable.includes(offset))).toEqual([]);
    expect(new Set(reads.map(({ offset }) => offset)).size).toBeGreaterThan(version === 1 ? 7 : 9);
  });

  it("MMIO-016 §4.2.2.2 driver: reaches control registers in aligned words", () => {
    const control = accesses.filter(isControl);
    expect(control.filter(({ offset, bytes }) => bytes !== 4 || offset % 4 !== 0)).toEqual([]);
  });

  it("MMIO-017 §4.2.2.2 driver: reaches a field in its own width, 64 bits as two words, a MAC address byte by byte", () => {
    const widths = new Map<string, Set<number>>();
    for (const { offset, bytes } of accesses.filter(isConfig)) {
      const at = offset - mmio.VIRTIO_MMIO_CONFIG;
      const field = CONFIG.find((one) => at >= one.offset && at + bytes <= one.offset + one.bytes);
      if (field === undefined || offset % bytes !== 0)
        throw new Error(`${bytes} bytes at ${at} are no field`);
      widths.set(field.name, (widths.get(field.name) ?? new Set()).add(bytes));
    }
    expect(Object.fromEntries([...widths].map(([name, seen]) => [name, [...seen]]))).toEqual({
      capacity: [4],
      mac: [1],
      mtu: [2],
      mode: [4],
      flag: [1],
    });
  });

  it("MMIO-039 §4.2.3.1.1 driver: leaves the shared memory registers alone", () => {
    const shared = accesses.filter(
      ({ offset }) => offset >= mmio.VIRTIO_MMIO_SHM_SEL && offset <= mmio.VIRTIO_MMIO_SHM_BASE_HIGH,
    );
    expect(shared).toEqual([]);
  });

  it("MMIO-040 §4.2.3.1.1 driver: goes on with the general initialisation after DeviceID", () => {
    const isStatus = ({ offset }: MmioAccess) => offset === mmio.VIRTIO_MMIO_STATUS;
    expect(accesses.slice(0, 3).map(({ offset }) => offset)).toEqual([
      mmio.VIRTIO_MMIO_MAGIC_VALUE,
      mmio.VIRTIO_MMIO_VERSION,
      mmio.VIRTIO_MMIO_DEVICE_ID,
    ]);
    expect(accesses.slice(3, 5).map(({ how, offset, value }) => [how, offset, value])).toEqual([
      ["write", mmio.VIRTIO_MMIO_STATUS, 0],
      ["read", mmio.VIRTIO_MMIO_STATUS, 0],
    ]);
    const first = accesses.findIndex((one) => isStatus(one) && (one.value & 4) !== 0) + 1;
    const written = accesses.slice(0, first).filter((one) => isStatus(one) && one.how === "write");
    const steps = version === 1 ? [0, 1, 3, 7] : [0, 1, 3, 0x0b, 0x0f];
    expect(written.map(({ value }) => value)).toEqual(steps);
    const places = [
      mmio.VIRTIO_MMIO_DEVICE_FEATURES,
      mmio.VIRTIO_MMIO_DRIVER_FEATURES,
      version === 1 ? mmio.VIRTIO_MMIO_QUEUE_PFN : mmio.VIRTIO_MMIO_QUEUE_READY,
    ].map((register) => accesses.findIndex(({ offset }) => offset === register));
    expect([...places, first]).toEqual([...places, first].toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
  });
});
