/**
 * MSI-X of one function (PCI 3.0 §6.8.2): capability, table and pending bits. A message that a mask holds back is pending,
 * once, and goes out when it is unmasked. Which event has which vector is pci-vectors.ts.
 */
import type { VirtioDevice } from "../device/device";
import {
  PCI_CAP_ID_MSIX,
  PCI_MSIX_CAP_SIZE,
  PCI_MSIX_ENTRY_CTRL_MASKBIT,
  PCI_MSIX_ENTRY_DATA,
  PCI_MSIX_ENTRY_LOWER_ADDR,
  PCI_MSIX_ENTRY_SIZE,
  PCI_MSIX_ENTRY_UPPER_ADDR,
  PCI_MSIX_ENTRY_VECTOR_CTRL,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
  PCI_MSIX_PBA,
  PCI_MSIX_TABLE,
} from "../spec/pci-header";
import type { PciPlace } from "./pci-bars";
import type { PciCapability, PciConfigSpace } from "./pci-config-space";
import { PciFields } from "./pci-structure";

/** One interrupt message: the device would write `data` to `address`. */
export interface MsixMessage {
  /** Table entry, 0…vectors-1. */
  readonly vector: number;
  /** Guest-physical, a u64. */
  readonly address: bigint;
  /** A u32. */
  readonly data: number;
}

/** Each word of a table entry by its offset, and the bits of it that can be written. */
const WORDS = [
  { at: PCI_MSIX_ENTRY_LOWER_ADDR, name: "message address", bits: 0xffff_fffc },
  { at: PCI_MSIX_ENTRY_UPPER_ADDR, name: "message upper address", bits: 0xffff_ffff },
  { at: PCI_MSIX_ENTRY_DATA, name: "message data", bits: 0xffff_ffff },
  { at: PCI_MSIX_ENTRY_VECTOR_CTRL, name: "vector control", bits: PCI_MSIX_ENTRY_CTRL_MASKBIT },
] as const;
const ENTRY_WORDS = PCI_MSIX_ENTRY_SIZE / 4;
const CONTROL_WORD = PCI_MSIX_ENTRY_VECTOR_CTRL / 4;

/** The vectors of one function. */
export class PciMsix {
  /** Vectors in the table, 1…2048. */
  private readonly count: number;
  /** The table, a word of 32 bits each. */
  private readonly words: Uint32Array;
  /** Whether a vector's message waits for its mask. */
  private readonly pending: boolean[];
  private readonly config: PciConfigSpace;
  private readonly onMessage: (message: MsixMessage) => void;
  private at = 0;

  constructor(count: number, config: PciConfigSpace, onMessage: (message: MsixMessage) => void) {
    this.count = count;
    this.config = config;
    this.onMessage = onMessage;
    this.words = new Uint32Array(ENTRY_WORDS * count);
    this.pending = new Array<boolean>(count).fill(false);
    this.resetFunction();
  }

  /** Message Control says so; INTx is then silent. */
  get isEnabled(): boolean {
    return (this.control & PCI_MSIX_FLAGS_ENABLE) !== 0;
  }

  /** The capability, for a table and pending bits at these places. */
  capability(table: PciPlace, pba: PciPlace): PciCapability {
    const bytes = new Uint8Array(PCI_MSIX_CAP_SIZE);
    const writable = new Uint8Array(PCI_MSIX_CAP_SIZE);
    const view = new DataView(bytes.buffer);
    bytes[0] = PCI_CAP_ID_MSIX;
    view.setUint16(PCI_MSIX_FLAGS, this.count - 1, true);
    view.setUint32(PCI_MSIX_TABLE, table.offset | table.bar, true);
    view.setUint32(PCI_MSIX_PBA, pba.offset | pba.bar, true);
    new DataView(writable.buffer).setUint16(
      PCI_MSIX_FLAGS,
      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL,
      true,
    );
    return { bytes, writable };
  }

  /** Where the capability was put. */
  placed(at: number): void {
    this.at = at;
  }

  table(device: VirtioDevice): PciFields {
    const registers = Array.from({ length: this.count }, (_, vector) =>
      WORDS.map(({ at, name, bits }) => {
        const word = (PCI_MSIX_ENTRY_SIZE * vector + at) / 4;
        return {
          at: 4 * word,
          bytes: 4 as const,
          name: `${name} of vector ${vector}`,
          read: () => this.words[word] ?? 0,
          write: (value: number) => {
            this.words[word] = value & bits;
            this.release();
          },
        };
      }),
    ).flat();
    return new PciFields(
      device,
      { name: "the MSI-X table", length: PCI_MSIX_ENTRY_SIZE * this.count },
      registers,
    );
  }

  /** The pending bits, 32 a word. */
  pendingBits(device: VirtioDevice): PciFields {
    const length = 8 * Math.ceil(this.count / 64);
    const registers = Array.from({ length: length / 4 }, (_, word) => ({
      at: 4 * word,
      bytes: 4 as const,
      name: `pending bits from vector ${32 * word} on`,
      read: () => this.pendingWord(word),
    }));
    return new PciFields(device, { name: "the MSI-X pending bits", length }, registers);
  }

  /** An event of this vector happened. What is not enabled sends nothing. */
  send(vector: number): void {
    if (!this.isEnabled || vector >= this.count) return;
    this.pending[vector] = true;
    this.release();
  }

  /** Sends what is pending and masked no longer. */
  release(): void {
    const isHeld =
      (this.control & (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)) !== PCI_MSIX_FLAGS_ENABLE;
    if (isHeld) return;
    for (
      let vector = this.pending.indexOf(true);
      vector >= 0;
      vector = this.pending.indexOf(true, vector + 1)
    ) {
      const [low = 0, high = 0, data = 0, control = 0] = this.words.subarray(ENTRY_WORDS * vector);
      if ((control & PCI_MSIX_ENTRY_CTRL_MASKBIT) !== 0) continue;
      this.pending[vector] = false;
      this.onMessage({ vector, address: (BigInt(high) << 32n) | BigInt(low), data });
    }
  }

  /** The virtio device was reset: of it nothing is sent any more (§2.4.1). The table is PCI's and stays. */
  reset(): void {
    this.pending.fill(false);
  }

  /** A reset of the function: every vector is masked. */
  resetFunction(): void {
    this.reset();
    this.words.fill(0);
    for (let vector = 0; vector < this.count; vector++)
      this.words[ENTRY_WORDS * vector + CONTROL_WORD] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
  }

  /** The table and what waits, as an image has them. */
  save(): { readonly table: readonly number[]; readonly pending: readonly number[] } {
    const pending = this.pending.flatMap((isPending, vector) => (isPending ? [vector] : []));
    return { table: [...this.words], pending };
  }

  /** Takes over what was judged. */
  restore({
    table,
    pending,
  }: {
    readonly table: readonly number[];
    readonly pending: readonly number[];
  }): void {
    this.words.set(table);
    this.pending.fill(false);
    for (const vector of pending) this.pending[vector] = true;
  }

  private get control(): number {
    return this.config.get(this.at + PCI_MSIX_FLAGS, 2);
  }

  private pendingWord(word: number): number {
    const bits = this.pending.slice(32 * word, 32 * word + 32);
    return bits.reduce((sum, isPending, bit) => sum + (isPending ? 2 ** bit : 0), 0);
  }
}
