/**
 * A hostile guest against our devices on v86's bus: rings of the corpus and registers against every rule. The emulator lives
 * on, the device says what it needs, and nothing of v86's memory changes but guest RAM. With Linux beside it:
 * test/interop/v86/hostile.test.ts.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { echo } from "../transport/port-pair";
import { Attached } from "./v86-attached";
import { HOSTILE_CASES } from "./v86-hostile-cases";
import { HostileDriver } from "./v86-hostile-driver";

let rig: Attached;
let driver: HostileDriver;
let outside: Buffer;
/** The memory that v86 had before anything of ours was in it. */
let bytes: number;

beforeEach(async () => {
  const violations: string[] = [];
  rig = await Attached.start(
    [{ model: echo(), onViolation: ({ code }) => violations.push(code) }],
    {},
    ({ cpu }) => {
      bytes = cpu.wasm_memory.buffer.byteLength;
      // What v86 itself does about interrupts and compiled code is in its memory, too.
      cpu.devices.pci.raise_irq = () => {};
      cpu.devices.pci.lower_irq = () => {};
      cpu.jit_dirty_cache = () => {};
    },
  );
  const { attachment, machine } = rig;
  driver = await HostileDriver.open({
    bus: rig.bus(0),
    memory: machine.memory,
    attachment,
    attached: rig.device(0),
    violations,
  });
  driver.begin();
  outside = notRam();
});

afterEach(async () => {
  expect(Buffer.compare(notRam(), outside)).toBe(0);
  await rig.stop();
});

/** v86's memory without guest RAM; the VGA's window counts as memory of v86's. */
function notRam(): Buffer {
  const { cpu } = rig.machine;
  const copy = Buffer.from(new Uint8Array(cpu.wasm_memory.buffer, 0, bytes));
  const base = cpu.mem8.byteOffset;
  copy.fill(0, base, base + 0xa0000);
  copy.fill(0, base + 0xc0000, base + (cpu.memory_size[0] ?? 0));
  return copy;
}

describe("a hostile driver", () => {
  it.each(HOSTILE_CASES.map((one) => [one.title, one] as const))("%s", async (_, { play }) => {
    await play(driver);
  });
});
