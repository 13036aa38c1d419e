/**
 * Guest memory for a driver: rings, tables and buffers out of one window. First fit, zeroed, any power-of-two
 * alignment. The device half has no use for it.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";

interface Block {
  readonly address: number;
  readonly size: number;
}

/** Hands out pieces of a window of guest RAM. */
export class GuestAllocator {
  readonly #core: Core;
  readonly #used = new Map<number, number>();
  #free: Block[];

  /**
   * @param core the core whose guest RAM it is
   * @param window guest address and bytes; default: the first region
   * @throws VirtioError BAD_ARGUMENT when the window isn't guest RAM
   */
  constructor(core: Core, window?: { readonly gpa: number; readonly size: number }) {
    const region = core.regions[0];
    const { gpa, size } = window ?? { gpa: region?.gpa ?? 0, size: region?.size ?? 0 };
    core.translate(gpa, size, { writable: true });
    this.#core = core;
    this.#free = [{ address: gpa, size }];
  }

  /** Bytes that are free, not necessarily in one piece. */
  get available(): number {
    return this.#free.reduce((sum, block) => sum + block.size, 0);
  }

  /**
   * Takes zeroed guest memory.
   *
   * @param bytes 1 and up
   * @param align a power of two, default 16
   * @returns its guest address
   * @throws VirtioError BAD_ARGUMENT when there is no such piece
   */
  allocate(bytes: number, align = 16): number {
    if (!Number.isSafeInteger(bytes) || bytes < 1)
      throw new VirtioError("BAD_ARGUMENT", `can't allocate ${bytes} bytes`);
    if (!Number.isSafeInteger(align) || align < 1 || Math.log2(align) % 1) {
      throw new VirtioError("BAD_ARGUMENT", `alignment ${align} is not a power of two`);
    }
    for (const [i, block] of this.#free.entries()) {
      const address = Math.ceil(block.address / align) * align;
      const end = block.address + block.size;
      if (address + bytes > end) continue;
      const rest: Block[] = [];
      if (address > block.address) rest.push({ address: block.address, size: address - block.address });
      if (end > address + bytes) rest.push({ address: address + bytes, size: end - address - bytes });
      this.#free.splice(i, 1, ...rest);
      this.#used.set(address, bytes);
      this.#core.view(address, bytes).fill(0);
      return address;
    }
    throw new VirtioError(
      "BAD_ARGUMENT",
      `${bytes} bytes of guest memory wanted, ${this.available} are free`,
    );
  }

  /**
   * Gives a piece back.
   *
   * @param address as {@link allocate} gave it
   * @throws VirtioError BAD_ARGUMENT for an address that isn't in use
   */
  free(address: number): void {
    const size = this.#used.get(address);
    if (size === undefined)
      throw new VirtioError("BAD_ARGUMENT", `guest address ${address} is not allocated`);
    this.#used.delete(address);
    const blocks = [...this.#free, { address, size }].sort((a, b) => a.address - b.address);
    this.#free = blocks.reduce<Block[]>((merged, block) => {
      const last = merged.at(-1);
      if (last && last.address + last.size === block.address) {
        merged[merged.length - 1] = { address: last.address, size: last.size + block.size };
      } else {
        merged.push(block);
      }
      return merged;
    }, []);
  }
}
