/**
 * Kernel and initrd once more at every reset of the machine: v86 puts them into RAM when it is made and never again, so
 * that a guest which reboots would find whatever has become of them.
 */
import type { V86Cpu } from "../../../src/adapters/v86/emulator";
import { v86Cpu } from "../../../src/adapters/v86/hooks";
import { intercept } from "../../../src/adapters/v86/intercept";

/** Brings RAM back as it is now whenever the machine is reset. @param emulator one that has not run yet */
export function reloadAtReset(emulator: object): void {
  const cpu = v86Cpu(emulator);
  const image = ram(cpu).slice();
  intercept(cpu, "reboot_internal", (reboot) => () => {
    ram(cpu).set(image);
    cpu.jit_dirty_cache(0, image.length);
    reboot();
  });
}

function ram(cpu: V86Cpu): Uint8Array {
  return new Uint8Array(cpu.wasm_memory.buffer, cpu.mem8.byteOffset, cpu.memory_size[0]);
}
