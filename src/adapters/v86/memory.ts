/**
 * A ring core on v86's own memory: guest RAM where it lies, nothing copied, and state in pages that v86 never had.
 * What a device writes there is told to v86's JIT, which may have compiled code from those bytes.
 */
import { type Core, loadCore } from "../../core/core";
import type { GuestRegion } from "../../core/regions";
import { stateBytes } from "../../core/state-area";
import { VirtioError } from "../../errors";
import type { TouchedRange } from "../../virtqueue/ring-half";
import type { V86Cpu } from "./emulator";

const PAGE = 65536;
/** Where v86 has the VGA's window instead of RAM; the firmware's ROMs behind it are RAM like any other. */
const VGA = { from: 0xa0000, to: 0xc0000 };

/** Guest RAM of an emulator, as v86's `in_mapped_range` has it: from 0 to its memory size, but for the VGA's window. */
export function ramRegions(cpu: V86Cpu): GuestRegion[] {
  const base = cpu.mem8.byteOffset;
  const size = cpu.memory_size[0] ?? 0;
  return [
    { gpa: 0, base, size: VGA.from },
    { gpa: VGA.to, base: base + VGA.to, size: size - VGA.to },
  ];
}

/**
 * A core on the emulator's memory, with a state area of its own. The memory grows by it, which every view notices
 * and v86 expects; the pages are never given back.
 *
 * @param stateBytes bytes of state, as `stateBytes()` counts them
 * @throws VirtioError BAD_ARGUMENT when the memory can't grow, or v86's RAM lies where no region may
 */
export async function loadV86Core(cpu: V86Cpu, stateBytes: number): Promise<Core> {
  const memory = cpu.wasm_memory;
  const pages = Math.ceil(stateBytes / PAGE);
  const base = grow(memory, pages) * PAGE;
  return loadCore({ memory, regions: ramRegions(cpu), state: { base, size: pages * PAGE } });
}

function grow(memory: WebAssembly.Memory, pages: number): number {
  try {
    return memory.grow(pages);
  } catch {
    throw new VirtioError(
      "BAD_ARGUMENT",
      `v86's memory of ${memory.buffer.byteLength} bytes can't grow by ${pages} pages`,
    );
  }
}

/**
 * Bytes of state for device halves of these sizes.
 *
 * @param batch most chains per crossing; default as `stateBytes()`
 */
export function stateOf(sizes: readonly number[], batch?: number): number {
  const more = { touched: true, ...(batch !== undefined && { batch }) };
  return sizes.reduce((sum, maxQueueSize) => sum + stateBytes({ queues: 1, maxQueueSize, ...more }), 0);
}

/** Tells v86's JIT what was written: what a device queue's `onTouched` is for. */
export function jitObserver(cpu: V86Cpu): (ranges: readonly TouchedRange[]) => void {
  return (ranges) => {
    for (const { address, length } of ranges) cpu.jit_dirty_cache(address, address + length);
  };
}
