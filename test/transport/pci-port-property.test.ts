// PciPort on functions of random bytes: some nearly a device, some like nothing. It stays within what its bus has.
import { expect, it } from "vitest";
import { VirtioError } from "../../src/errors";
import type { PciBus } from "../../src/transport/pci-bus";
import { PciPort } from "../../src/transport/pci-port";
import { Random } from "../property/random";
import { setup } from "./pci-function";

const FUNCTIONS = 5000;
const EDGES = [0, 1, 2, 3, 55, 56, 64, 0xfff, 0x1000, 0x3ffe, 0x4000, 0x7fff_ffff, 0xffff_fffc, 0xffff_ffff];
const CAPABILITY_BYTES = 20;
const TYPES = [1, 2, 3, 4, 5];

/** A function that throws for every access that a driver must not make, and answers anything. */
function randomBus(random: Random): PciBus & { readonly reads: () => number } {
  const pick = (values: readonly number[]) => values[random.below(values.length)] ?? 0;
  const oneIn = [1, 8, 40][random.below(3)] ?? 1;
  /** What a good device has there, or now and then something else. */
  const mostly = (usual: number, others: readonly number[]) =>
    random.below(oneIn) === 0 ? pick(others) : usual;
  const config = new DataView(new ArrayBuffer(256));
  for (let at = 0; at < 256; at += 4) config.setUint32(at, random.u32(), true);
  config.setUint16(0, 0x1af4, true);
  config.setUint16(2, pick([0x1000, 0x1001, 0x103f, 0x1042, 0x107f]), true);
  config.setUint16(6, mostly(0x10, [0]), true);
  config.setUint8(8, pick([0, 1]));
  config.setUint8(0x34, mostly(0x40, [0x44, 0xfc, 0, random.below(256)]));
  for (const [i, type] of TYPES.entries()) {
    const at = 0x40 + CAPABILITY_BYTES * i;
    config.setUint8(at, mostly(9, [0x11, random.below(256)]));
    config.setUint8(at + 1, mostly(at + CAPABILITY_BYTES, [at, 0x40, 0, 0xfc, random.below(256)]));
    config.setUint8(at + 2, mostly(20, [15, 16, random.below(256)]));
    config.setUint8(at + 3, mostly(type, [...TYPES, random.below(256)]));
    config.setUint8(at + 4, mostly(4, [0, 5, 6, random.below(256)]));
    config.setUint32(at + 8, mostly(0x100 * i, EDGES), true);
    config.setUint32(at + 12, mostly(0x100, EDGES), true);
    config.setUint32(at + 16, mostly(4, [0, 1, 2, 4096, 0x8000_0000, random.u32()]), true);
  }
  // Also such as end within a structure, in the middle of a word.
  const ends = [0x3e, 0x1fe, 0x2fe, 0x3fe];
  const sizes = [mostly(64, [19, 20, 22, 24]), 0, 0, 0, mostly(0x4000, [...ends, ...EDGES]), pick(EDGES)];
  let reads = 0;
  const check = (bar: number, offset: number, bytes: number) => {
    const size = sizes[bar] ?? 0;
    if (offset < 0 || offset + bytes > size)
      throw new Error(`${bytes} at ${offset} of ${size} in BAR ${bar}`);
  };
  return {
    reads: () => reads,
    readConfig: (offset, bytes) => {
      reads++;
      if (offset % bytes !== 0) throw new Error(`${bytes} at ${offset} of the configuration space`);
      if (bytes === 4) return config.getUint32(offset, true);
      return bytes === 2 ? config.getUint16(offset, true) : config.getUint8(offset);
    },
    writeConfig: (offset) => {
      throw new Error(`the configuration space was written at ${offset}`);
    },
    barSize: (bar) => sizes[bar] ?? 0,
    readBar: (bar, offset, bytes) => {
      check(bar, offset, bytes);
      return pick([0, 0, 0, 1, 8, 63, 256, random.u32()]) % 256 ** bytes;
    },
    writeBar: check,
  };
}

it(`${FUNCTIONS} functions end in a port that stays within its BARs, or in a VirtioError`, async () => {
  const tally = new Map<string, number>();
  const count = (what: string) => tally.set(what, (tally.get(what) ?? 0) + 1);
  const attempt = async (prefix: string, act: () => unknown) => {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof VirtioError)) throw error;
      count(prefix + error.code);
      return undefined;
    }
  };
  for (let seed = 0; seed < FUNCTIONS; seed++) {
    const bus = randomBus(new Random(seed));
    const port = await attempt("open ", () => PciPort.open(bus));
    expect(bus.reads()).toBeLessThan(500);
    if (!(port instanceof PciPort)) continue;
    count(port.isLegacy ? "legacy" : "modern");
    // VERSION_1, and with every other NOTIFICATION_DATA, NOTIF_CONFIG_DATA and RING_RESET.
    await attempt("", () => port.writeDriverFeatures(1, seed % 2 === 0 ? 1 : 0x1c1));
    for (let index = 0; index < 4; index++) {
      await attempt("", () => port.enableQueue(index, setup));
      await attempt("", () => port.notify(index));
      await attempt("", () => port.resetQueue(index));
      await attempt("", () => port.readConfig([0, 40, 252, 256][index] ?? 0, 4));
    }
    await port.handleInterrupt();
  }
  const ends = ["legacy", "modern", "open PCI_CAPABILITY", "open PCI_ID"];
  const codes = ["CONFIG_RANGE", "PCI_CAPABILITY", "QUEUE_LOCKED", "QUEUE_NOT_READY", "QUEUE_SIZE_INVALID"];
  for (const what of [...ends, ...codes, "STATUS_SEQUENCE"])
    expect([what, tally.get(what) ?? 0]).not.toEqual([what, 0]);
});
