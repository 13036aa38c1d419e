/** The core on v86's memory: what is guest RAM, where its state lies, and growth under its feet. */
import { describe, expect, it } from "vitest";
import { jitObserver, loadV86Core, ramRegions } from "../../src/adapters/v86/memory";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { rig } from "../virtqueue/queue-rig";
import { fakeEmulator } from "./v86-fake";
import { V86Machine } from "./v86-machine";

const PAGE = 65536;

it("guest RAM is all that v86 doesn't map to something else", async () => {
  const machine = await V86Machine.start({});
  const { cpu } = machine;
  const mapped = (cpu as unknown as { in_mapped_range(address: number): number }).in_mapped_range;
  const core = await loadV86Core(cpu, PAGE);
  const isRam = (address: number) =>
    core.regions.some(({ gpa, size }) => gpa <= address && address < gpa + size);
  const size = cpu.memory_size[0] ?? 0;
  for (let address = 0; address < 2 * size; address += 4096) {
    for (const at of [address, address + 4095]) expect([at, isRam(at)]).toEqual([at, mapped(at) === 0]);
  }
  machine.memory.setU32(0xc0000, 0x12345678);
  expect([...core.view(0xc0000, 4)]).toEqual([0x78, 0x56, 0x34, 0x12]);
  await machine.stop();
});

it("two regions, with the VGA's window between them", () => {
  const { cpu } = fakeEmulator({}, 4).v86;
  expect(ramRegions(cpu)).toEqual([
    { gpa: 0, base: PAGE, size: 0xa0000 },
    { gpa: 0xc0000, base: PAGE + 0xc0000, size: 0x400000 - 0xc0000 },
  ]);
});

it("the state takes pages of its own, behind what v86 had", async () => {
  const { cpu } = fakeEmulator().v86;
  const before = cpu.wasm_memory.buffer.byteLength;
  const [first, second] = [await loadV86Core(cpu, 1), await loadV86Core(cpu, PAGE + 1)];
  expect(cpu.wasm_memory.buffer.byteLength).toBe(before + 3 * PAGE);
  const queues = [first, second].map((core) => core.allocateQueue({ roles: 2, maxSize: 8, batch: 1 }).q);
  expect(queues.map((q) => Math.floor((q - before) / PAGE))).toEqual([0, 1]);
});

it("a memory that can't grow is an error with both numbers", async () => {
  const { cpu } = fakeEmulator().v86;
  await expect(loadV86Core(cpu, 2 ** 33)).rejects.toMatchObject({
    code: "BAD_ARGUMENT",
    message: `v86's memory of ${33 * PAGE} bytes can't grow by 131072 pages`,
  });
});

describe.each(["split", "packed"] as const)("a %s queue", (layout) => {
  it("lives through growths of the memory, and tells the JIT what it wrote, wherever it is served", async () => {
    const emulator = fakeEmulator();
    const { cpu } = emulator.v86;
    const core = await loadV86Core(cpu, 4 * PAGE);
    const allocator = new GuestAllocator(core, { gpa: 0x100000, size: 0x10000 });
    const { driver, device, buffer } = rig(layout, {
      core,
      allocator,
      device: { onTouched: jitObserver(cpu) },
    });
    const guest = () => core.view(0x100000, 0x10000);
    for (let i = 0; i < 30; i++) {
      const out = buffer(16);
      driver.add([out], [buffer(16)]);
      driver.publish();
      cpu.wasm_memory.grow(1);
      expect(device.take()).toBe(1);
      const chain = device.chain(0);
      emulator.dirty.length = 0;
      const before = guest().slice();
      cpu.wasm_memory.grow(1);
      chain.writer().write(Uint8Array.of(0xaa, i, 0xbb, 0xcc));
      device.complete(chain.token, 4);
      device.publish();
      device.disarm();
      device.arm();
      guest().forEach((byte, at) => {
        const gpa = 0x100000 + at;
        if (byte !== before[at])
          expect(emulator.dirty.some(([low, high]) => low <= gpa && gpa < high)).toBe(true);
      });
      expect(emulator.dirty.every(([low, high]) => low < high)).toBe(true);
      expect(driver.takeUsed()).toBe(1);
      expect(driver.used.length(0)).toBe(4);
      allocator.free(out.address);
    }
  });
});
