/** What the adapter finds of an emulator, and says of one that lacks something. */
import { describe, expect, it } from "vitest";
import { stockDevice, v86Cpu } from "../../src/adapters/v86/hooks";
import { VirtioError } from "../../src/errors";
import { upgrade, V86_VERSION } from "../../src/v86";
import { fakeEmulator, fakeVirtio } from "./v86-fake";

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof VirtioError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "nothing thrown";
}

describe("the processor", () => {
  it("is found whole", () => {
    const emulator = fakeEmulator();
    expect(v86Cpu(emulator)).toBe(emulator.v86.cpu);
  });

  it.each([
    [
      "io.register_write",
      (cpu: ReturnType<typeof fakeEmulator>["v86"]["cpu"]) =>
        Reflect.deleteProperty(cpu.io, "register_write"),
    ],
    ["devices.pci.raise_irq", (cpu) => Reflect.deleteProperty(cpu.devices.pci, "raise_irq")],
    ["wasm_memory.buffer", (cpu) => Reflect.deleteProperty(cpu, "wasm_memory")],
    ["mem8.byteOffset", (cpu) => Reflect.deleteProperty(cpu, "mem8")],
    ["memory_size.0", (cpu) => Reflect.set(cpu, "memory_size", new Uint32Array(0))],
    ["jit_dirty_cache", (cpu) => Reflect.set(cpu, "jit_dirty_cache", 0)],
  ] as [string, (cpu: ReturnType<typeof fakeEmulator>["v86"]["cpu"]) => unknown][])(
    "without %s is refused by name, with the version that was tried",
    (path, remove) => {
      const emulator = fakeEmulator();
      remove(emulator.v86.cpu);
      const message = messageOf(() => v86Cpu(emulator));
      expect(message).toMatch(/^EMULATOR_UNSUPPORTED: the emulator lacks /);
      expect(message).toContain(`v86.cpu.${path}`);
      expect(message).toContain(`v86 ${V86_VERSION}`);
    },
  );

  it("names all that is missing at once", () => {
    const emulator = fakeEmulator();
    Reflect.set(emulator.v86.cpu, "io", {});
    expect(messageOf(() => v86Cpu(emulator))).toContain(
      "lacks v86.cpu.io.register_read, v86.cpu.io.register_write:",
    );
  });

  it("that isn't there yet is answered with when it is", async () => {
    const before = fakeEmulator();
    Reflect.set(before.v86.cpu, "devices", {});
    expect(messageOf(() => v86Cpu(before))).toContain('"emulator-ready"');
    expect(messageOf(() => v86Cpu({}))).toContain("lacks v86.cpu:");
    await expect(upgrade({})).rejects.toMatchObject({ code: "EMULATOR_UNSUPPORTED" });
  });
});

describe("a device", () => {
  it("is found whole, or not at all where the emulator was made without it", () => {
    const { cpu } = fakeEmulator({ virtio_net: { virtio: fakeVirtio() } }).v86;
    expect(stockDevice(cpu, "net")).toBe(cpu.devices.virtio_net);
    expect(stockDevice(cpu, "9p")).toBeUndefined();
  });

  it("is refused by the names that it lacks, those of its queues too", () => {
    const virtio = fakeVirtio();
    Reflect.deleteProperty(virtio, "needs_reset");
    const { cpu } = fakeEmulator({ virtio_net: { virtio } }).v86;
    expect(messageOf(() => stockDevice(cpu, "net"))).toContain("virtio_net.virtio.needs_reset");
    const other = fakeVirtio();
    Reflect.deleteProperty(other.queues[1] ?? {}, "pop_request");
    const { cpu: second } = fakeEmulator({ virtio_net: { virtio: other } }).v86;
    expect(messageOf(() => stockDevice(second, "net"))).toContain("virtio_net.virtio.queues.1.pop_request");
    const { cpu: third } = fakeEmulator({ virtio_net: {} }).v86;
    expect(messageOf(() => stockDevice(third, "net"))).toContain("lacks v86.cpu.devices.virtio_net.virtio:");
  });
});

describe("upgrade()", () => {
  const withNet = () => fakeEmulator({ virtio_net: { virtio: fakeVirtio() } });

  it("takes the devices that there are", async () => {
    const virtio = fakeVirtio();
    const [net, ...others] = await upgrade(fakeEmulator({ virtio_net: { virtio } }));
    expect(net?.type).toBe("net");
    expect(others).toEqual([]);
    expect(virtio.queue_selected).toBe(virtio.queues[0]);
  });

  it("misses a device that was asked for, or any", async () => {
    await expect(upgrade(withNet(), { devices: ["9p", "net"] })).rejects.toMatchObject({
      code: "DEVICE_ABSENT",
      message: "the emulator was made without 9p",
    });
    await expect(upgrade(fakeEmulator())).rejects.toMatchObject({ code: "DEVICE_ABSENT" });
  });

  it("leaves a device alone that is in use, or upgraded", async () => {
    const emulator = withNet();
    await upgrade(emulator);
    await expect(upgrade(emulator)).rejects.toMatchObject({ code: "DEVICE_BUSY" });
    const busy = fakeVirtio();
    busy.device_status = 0xf;
    await expect(upgrade(fakeEmulator({ virtio_net: { virtio: busy } }))).rejects.toMatchObject({
      code: "DEVICE_BUSY",
      message: "virtio-fake is in use (status 0x0f): upgrade it before the guest runs",
    });
  });

  it("offers what a ring can do, and nothing else", async () => {
    await expect(upgrade(withNet(), { offer: ["RING_RESET"] })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
    await expect(upgrade(withNet(), { offer: ["RING_PAKED"] })).rejects.toMatchObject({
      code: "UNKNOWN_NAME",
    });
    const [net] = await upgrade(withNet(), { offer: ["RING_PACKED"] });
    expect(net?.offered.names()).toEqual(["VERSION_1", "RING_PACKED"]);
  });
});
