/**
 * A guest's machine, stopped where it is, with nothing under way: then all of v86's memory can be compared. What v86 itself
 * would do in there about interrupts and compiled code is kept back and told.
 */
import type { V86Cpu } from "../../../src/adapters/v86/emulator";
import { v86Cpu } from "../../../src/adapters/v86/hooks";
import { intercept } from "../../../src/adapters/v86/intercept";
import { nextTask } from "../../../src/adapters/v86/macrotask";
import type { Attachment } from "../../../src/v86";
import type { Stretch } from "./held-memory";

/** v86's compiler, which finishes by Promise, whether the processor runs or not. */
interface Compiling {
  codegen_finalize(...args: number[]): void;
  codegen_finalize_finished(...args: number[]): void;
}

/** What v86 would have been asked for meanwhile. */
export interface KeptBack {
  /** Whether each function's line would be high at the end, by its number on the bus. */
  readonly lines: ReadonlyMap<number, boolean>;
  /** Guest addresses that compiled code would have been looked for at. */
  readonly written: readonly Stretch[];
}

/** Stops one emulator, and lets it go on. */
export class StandStill {
  private readonly emulator: { stop(): Promise<void>; run(): Promise<void> };
  private readonly cpu: V86Cpu;
  private compiling = 0;

  /** @param emulator before it runs */
  constructor(emulator: StandStill["emulator"]) {
    this.emulator = emulator;
    this.cpu = v86Cpu(emulator);
    const compiler = this.cpu as unknown as Compiling;
    intercept(compiler, "codegen_finalize", (begin) => (...args) => {
      this.compiling++;
      begin(...args);
    });
    intercept(compiler, "codegen_finalize_finished", (end) => (...args) => {
      this.compiling--;
      end(...args);
    });
  }

  /** Does something while the machine stands still and its devices are idle; then it runs again, unless that fails. */
  async during(attachment: Attachment, action: () => Promise<void>): Promise<KeptBack> {
    await this.emulator.stop();
    await attachment.idle();
    while (this.compiling > 0) await nextTask();
    const { cpu } = this;
    const { pci } = cpu.devices;
    const lines = new Map<number, boolean>();
    const written: Stretch[] = [];
    const undo = [
      intercept(pci, "raise_irq", () => (pciId) => void lines.set(pciId, true)),
      intercept(pci, "lower_irq", () => (pciId) => void lines.set(pciId, false)),
      intercept(cpu, "jit_dirty_cache", () => (from, to) => void written.push({ from, to })),
    ];
    try {
      await action();
    } finally {
      for (const restore of undo) restore();
    }
    await this.emulator.run();
    return { lines, written };
  }
}
