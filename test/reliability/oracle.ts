/**
 * How every hostile case ends: no stray write, the queue broken until its reset where the case says so and then three good
 * round trips, otherwise three good round trips without a reset. The side that is not under test is played by hand.
 */
import { describe, expect, test } from "vitest";
import type { RingStart } from "../model/ring";
import { placeOf, seg, startName } from "../ring-steps";
import type { Backend, WorldOptions } from "../rings";
import { wasmQueues } from "../wasm-rings";
import { corpusCase, titleOf } from "./corpus";
import { openStage, type Stage, startsOf, UNDER_TEST } from "./stage";

/** What a case may set for itself. */
export interface CaseOptions {
  /** Where the queue starts; default: every start of the profile. */
  readonly start?: RingStart;
  readonly more?: Partial<WorldOptions>;
  /** Instead of the case's own profile. */
  readonly setup?: string;
  readonly backends?: readonly Backend[];
  /** Instead of the case's own; "any": reset it, then it must work. */
  readonly ends?: "unchanged" | "broken" | "any";
}

/** A case on the device half, over every implementation and start. */
export function deviceCase(id: string, body: (stage: Stage) => void, options: CaseOptions = {}): void {
  eachStage(id, options, (stage) => {
    body(stage);
    endOfDeviceCase(stage, options.ends ?? endOf(id));
  });
}

/** A case on the driver half. */
export function driverCase(id: string, body: (stage: Stage) => void, options: CaseOptions = {}): void {
  eachStage(id, options, (stage) => {
    body(stage);
    endOfDriverCase(stage, options.ends ?? endOf(id));
  });
}

function eachStage(id: string, options: CaseOptions, body: (stage: Stage) => void): void {
  const { setup = corpusCase(id).setup, backends = UNDER_TEST, more = {} } = options;
  describe(titleOf(id), () => {
    for (const backend of backends) {
      for (const start of options.start ? [options.start] : startsOf(setup)) {
        test(`${id} ${backend.name}, ${startName(start)}`, () => {
          const stage = openStage(backend, setup, { ...more, start });
          const bytes = stage.world.options.memory.buffer.byteLength;
          body(stage);
          expect(stage.world.strayWrites()).toEqual([]);
          expect(stage.world.options.memory.buffer.byteLength).toBe(bytes);
        });
      }
    }
  });
}

function endOf(id: string): "unchanged" | "broken" | "any" {
  const { deviceStatus } = corpusCase(id).expected;
  if (deviceStatus.startsWith("unchanged")) return "unchanged";
  return deviceStatus === "any" || deviceStatus.includes(" or ") ? "any" : "broken";
}

export function endOfDeviceCase(stage: Stage, end: "unchanged" | "broken" | "any"): void {
  const { device, backend } = stage;
  if (end === "unchanged") {
    expect(device.state().error).toBeUndefined();
    deviceRoundTrips(stage);
    return;
  }
  if (end === "broken") {
    const { inFlight } = device.state();
    for (let i = 0; i < 3; i++) {
      expect(device.take(8)).toEqual({ chains: [], error: "QUEUE_BROKEN" });
      expect(device.complete(1 << 16, 0)).toBe("QUEUE_BROKEN");
      expect([device.publish(), device.arm(), device.hasAvailable()]).toEqual([false, false, false]);
    }
    expect(device.state()).toMatchObject({ inFlight });
    if (backend.holdsBack) expect(wasmQueues(stage.world.rings).violations.length).toBe(1);
  }
  device.reset();
  expect(device.state()).toMatchObject({ inFlight: 0, error: undefined });
  clearRings(stage);
  deviceRoundTrips(stage);
}

/** As after a reset: the driver zeroes its rings. */
function clearRings({ world }: Stage): void {
  const { layout, size, areas } = world.options;
  world.guest.fill(areas.descriptor, 16 * size, 0);
  world.guest.fill(areas.driver, layout === "split" ? 6 + 2 * size : 4, 0);
  world.guest.fill(areas.device, layout === "split" ? 6 + 8 * size : 4, 0);
}

/** Three good chains by a driver that goes on where the device half stands. Nothing may be in flight or available. */
export function deviceRoundTrips(stage: Stage): void {
  const { device, split, packed, world, size } = stage;
  const { layout } = world.options;
  expect(device.state().inFlight).toBe(0);
  for (let i = 0; i < 3; i++) {
    const { available } = device.state();
    const address = 0xa000 + 0x40 * i;
    if (layout === "split") {
      split.desc(i % size, { addr: address, len: 32, flags: 2 });
      split.setAvailRing(available % size, i % size);
      split.availIdx = (available + 1) & 0xffff;
    } else {
      const slot = available & 0x7fff;
      const { available: bits } = placeOf({ slot, wrap: available >> 15 ? 1 : 0 }, layout, size);
      packed.desc(slot, { addr: address, len: 32, id: i, flags: 2 | bits(0) });
    }
    const { used } = device.state();
    const { chains, error } = device.take(8);
    expect({ error, writable: chains.map((c) => c.writable) }).toEqual({
      error: undefined,
      writable: [[seg(address, 32)]],
    });
    world.guest.fill(address, 32, 0x33);
    expect(device.complete(chains[0]?.token ?? 0, 32)).toBeUndefined();
    device.publish();
    if (layout === "split") {
      expect(split.usedRing(used % size)).toEqual([i % size, 32]);
      expect(split.usedIdx).toBe((used + 1) & 0xffff);
    } else {
      const { used: bits } = placeOf({ slot: used & 0x7fff, wrap: used >> 15 ? 1 : 0 }, layout, size);
      expect(packed.readDesc(used & 0x7fff)).toMatchObject({ id: i, len: 32, flags: 2 | bits(0) });
    }
  }
}

export function endOfDriverCase(stage: Stage, end: "unchanged" | "broken" | "any"): void {
  const { driver } = stage;
  if (end === "unchanged") {
    expect(driver.state().error).toBeUndefined();
    driverRoundTrips(stage);
    return;
  }
  if (end === "broken") {
    for (let i = 0; i < 3; i++) {
      expect(driver.takeUsed(8)).toEqual({ used: [], error: "QUEUE_BROKEN" });
      expect(driver.add([{ readable: [seg(0x8000, 1)], writable: [] }])).toMatchObject({
        added: 0,
        error: "QUEUE_BROKEN",
      });
      expect([driver.publish().notify, driver.arm(0), driver.hasUsed()]).toEqual([false, false, false]);
    }
  }
  driver.reset();
  expect(driver.state()).toMatchObject({ inFlight: 0, free: stage.size, error: undefined });
  clearRings(stage);
  driverRoundTrips(stage);
}

/** Three good buffers to a device that goes on where the driver half stands. Nothing may be in flight. */
export function driverRoundTrips(stage: Stage): void {
  const { driver, split, packed, world, size } = stage;
  const { layout } = world.options;
  expect(driver.state().inFlight).toBe(0);
  for (let i = 0; i < 3; i++) {
    const { available, used } = driver.state();
    const { tokens, error } = driver.add([{ readable: [], writable: [seg(0xa000 + 0x40 * i, 32)] }]);
    expect({ count: tokens.length, error }).toEqual({ count: 1, error: undefined });
    driver.publish();
    if (layout === "split") {
      split.setUsedRing(used % size, split.availRing(available % size), 20);
      split.usedIdx = (used + 1) & 0xffff;
    } else {
      const { used: bits } = placeOf({ slot: used & 0x7fff, wrap: used >> 15 ? 1 : 0 }, layout, size);
      packed.used(used & 0x7fff, { id: packed.readDesc(available & 0x7fff).id, len: 20, flags: 2 | bits(0) });
    }
    expect(driver.takeUsed(8)).toEqual({ used: [{ token: tokens[0], length: 20 }] });
  }
}

/** A single test of a case that is about something else than the ring bytes. */
export function singleCase(id: string, body: () => void | Promise<void>): void {
  test(titleOf(id), body);
}
