/**
 * What the adapter uses of v86's insides, as types of our own: v86 declares none of it, and virtq doesn't depend on v86.
 * Names are v86's; hooks.ts finds out whether they are there.
 */

/** One I/O port: handlers by width. A BAR that moves takes its entries along. */
export interface V86PortEntry {
  read8: PortRead;
  read16: PortRead;
  read32: PortRead;
  write8: PortWrite;
  write16: PortWrite;
  write32: PortWrite;
  readonly device: unknown;
}

/** A handler of reads; it is given the port. */
type PortRead = (port: number) => number;
/** A handler of writes. */
type PortWrite = (value: number) => void;

/** The I/O ports. Handlers run with `this` = the device that they were registered with. */
export interface V86Io {
  /** All 65536, by port; `device` is undefined where nothing is. */
  readonly ports: V86PortEntry[];
  create_empty_entry(): V86PortEntry;
  register_read(port: number, device: object, read8?: PortRead, read16?: PortRead, read32?: PortRead): void;
  register_write(
    port: number,
    device: object,
    write8?: PortWrite,
    write16?: PortWrite,
    write32?: PortWrite,
  ): void;
}

/** A BAR; `entries` appear when the device is registered. */
export interface V86Bar {
  /** Bytes, a power of two. */
  readonly size: number;
  readonly entries?: readonly V86PortEntry[];
}

/** What the PCI bus is given: the handlers of a port BAR must be registered before the device is. */
export interface V86PciDevice {
  readonly name: string;
  /** Device number << 3. */
  readonly pci_id: number;
  /** The configuration space, 64 to 256 bytes. */
  readonly pci_space: readonly number[];
  readonly pci_bars: readonly (V86Bar | undefined)[];
}

/** The PCI bus. Both lists are by device number << 3. */
export interface V86Pci {
  readonly devices: (V86PciDevice | undefined)[];
  /** Live configuration spaces as words: v86 reads and writes them for the guest. */
  readonly device_spaces: (Int32Array | undefined)[];
  /** Gives the live configuration space as 64 words. */
  register_device(device: V86PciDevice): Int32Array;
  /** Raises one of four lines, which depends on device number and pin. */
  raise_irq(pciId: number): void;
  /** Lowers that line, whoever else holds it. */
  lower_irq(pciId: number): void;
}

/** A chain in the hands of one of v86's device models. */
export interface V86BufferChain {
  /** Bytes. */
  readonly length_readable: number;
  readonly length_writable: number;
  /** Bytes that {@link set_next_blob} wrote. */
  readonly length_written: number;
  /** The device-writable buffers, for the balloon, which clears them by itself. */
  readonly write_buffers: readonly { readonly addr_low: number; readonly len: number }[];
  /** Copies the next readable bytes; gives how many. */
  get_next_blob(target: Uint8Array): number;
  /** Writes into the next writable bytes; gives how many there was room for. */
  set_next_blob(source: Uint8Array): number;
}

/** A virtqueue as v86's registers and device models use it. */
export interface V86VirtQueue {
  size: number;
  size_supported: number;
  enabled: boolean;
  notify_offset: number;
  /** Guest addresses as the guest wrote them; u32, or negative from 2^31 on. */
  desc_addr: number;
  avail_addr: number;
  used_addr: number;
  reset(): void;
  set_size(size: number): void;
  is_configured(): boolean;
  enable(): void;
  count_requests(): number;
  has_request(): boolean;
  pop_request(): V86BufferChain;
  push_reply(chain: V86BufferChain): void;
  flush_replies(): void;
  notify_me_after(skipped: number): void;
  get_state(): unknown[];
  set_state(state: readonly unknown[]): void;
}

/** A virtio-pci device of v86: registers and status. */
export interface V86Virtio extends V86PciDevice {
  queues: V86VirtQueue[];
  readonly device_feature_select: number;
  readonly driver_feature_select: number;
  queue_select: number;
  queue_selected: V86VirtQueue | null;
  /** Four u32 words each. */
  device_feature: Uint32Array;
  driver_feature: Uint32Array;
  device_status: number;
  raise_irq(type: number): void;
  needs_reset(): void;
  set_state(state: readonly unknown[]): void;
}

/** A device model of v86 on its {@link V86Virtio}. */
export interface V86StockDevice {
  readonly virtio: V86Virtio;
  /** The 9p device keeps its queue beside. */
  virtqueue?: V86VirtQueue;
  /** The 9p device on v86's own file system: takes a request, and replies before the Promise settles. */
  ReceiveRequest?(chain: V86BufferChain): Promise<void>;
}

/** The processor, which everything hangs on. */
export interface V86Cpu {
  readonly io: V86Io;
  readonly devices: { readonly pci: V86Pci } & Readonly<Record<string, unknown>>;
  /** A view of guest RAM, re-made by v86 when the memory grows. Slow by element: a Proxy. */
  readonly mem8: { readonly byteOffset: number };
  /** Bytes of guest RAM, in its only element. */
  readonly memory_size: Readonly<Uint32Array>;
  /** The memory of v86's own module, which guest RAM is a part of. */
  readonly wasm_memory: WebAssembly.Memory;
  /** Forgets code that was compiled from [low, high) of guest RAM. */
  jit_dirty_cache(low: number, high: number): void;
  /** A snapshot: strings and numbers are kept as they are. */
  get_state(): unknown[];
  /** Takes a snapshot over: the devices first, guest RAM last. */
  set_state(state: readonly unknown[]): void;
  /** What `restart()` and the guest's own reboot do. */
  reboot_internal(): void;
}

/** The emulator itself, as far as its snapshots go. */
export interface V86Emulator {
  readonly v86: { readonly cpu: V86Cpu };
  save_state(): Promise<ArrayBuffer>;
  restore_state(state: ArrayBuffer): Promise<void>;
}
