/** The machines that QEMU is asked for: what is on them besides the devices under test, and whose binary has them. */

/** A microvm has virtio-mmio slots, a pc a PCI bus. */
export type Board = "microvm" | "pc";

/** How a machine is asked for. */
export interface BoardOptions {
  readonly binary: string;
  readonly argv: readonly string[];
  /** A command of qtest that any machine of this kind answers. */
  readonly greeting: string;
}

/** What a microvm has besides its virtio-mmio slots, and what its firmware would want. */
const OFF = ["acpi", "pit", "pic", "rtc", "isa-serial", "x-option-roms", "auto-kernel-cmdline"];
/** Guest-physical address of the microvm's lowest virtio-mmio slot. */
export const SLOT_BASE = 0xfeb00000;

/** Neither has firmware that runs, or a processor that does. */
export const BOARDS: Readonly<Record<Board, BoardOptions>> = {
  // The one binary whose accelerator needs no processor.
  microvm: {
    binary: "qemu-system-x86_64-microvm",
    argv: [
      ...["-machine", `microvm,${OFF.map((part) => `${part}=off`)},memory-backend=mem`, "-accel", "qtest"],
      ...["-global", "virtio-mmio.force-legacy=false"],
    ],
    greeting: `readl 0x${SLOT_BASE.toString(16)}`,
  },
  // The processor is stopped before its first instruction; the bus and its devices work.
  pc: {
    binary: "qemu-system-x86_64",
    argv: ["-machine", "pc,memory-backend=mem", "-accel", "tcg", "-S"],
    greeting: "inl 0xcf8",
  },
};
