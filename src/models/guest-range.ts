/** A run of a chain's bytes as a backend may touch them: views on guest memory, made anew whenever they are asked for. */
import { VirtioError } from "../errors";
import type { Chain } from "../virtqueue/chain";
import type { GuestBytes } from "./backend";

/** Part of the readable or of the writable bytes of a chain that was kept. */
export class GuestRange implements GuestBytes {
  readonly length: number;
  private readonly chain: Chain;
  private readonly isDropped: () => boolean;
  private readonly kind: "readable" | "writable";
  private readonly offset: number;

  /**
   * @param chain made by `keep()`
   * @param kind which of its buffers
   * @param offset bytes from the first of them
   * @param length bytes; the caller has checked that the chain holds them
   * @param isDropped becomes true when a reset took the request away; the memory is out of reach from then on
   */
  constructor(
    chain: Chain,
    kind: "readable" | "writable",
    offset: number,
    length: number,
    isDropped: () => boolean,
  ) {
    this.chain = chain;
    this.kind = kind;
    this.offset = offset;
    this.length = length;
    this.isDropped = isDropped;
  }

  views(): readonly Uint8Array[] {
    if (this.isDropped()) {
      const text = "the request was dropped by a reset: its memory is the driver's again";
      throw new VirtioError("DEVICE_NEEDS_RESET", text, { section: "2.4.1" });
    }
    const views: Uint8Array[] = [];
    let skip = this.offset;
    let left = this.length;
    for (let i = this.kind === "readable" ? 0 : this.chain.readableCount; left > 0; i++) {
      const bytes = this.chain.length(i);
      if (skip < bytes) {
        const view = this.kind === "readable" ? this.chain.view(i) : this.chain.writableView(i);
        views.push(view.subarray(skip, skip + left));
        left -= Math.min(bytes - skip, left);
        skip = 0;
      } else skip -= bytes;
    }
    return views;
  }
}
