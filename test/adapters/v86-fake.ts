/** The names that the adapter uses of v86, with nothing behind them, to be taken away one by one. */
import type {
  V86Bar,
  V86BufferChain,
  V86Cpu,
  V86Virtio,
  V86VirtQueue,
} from "../../src/adapters/v86/emulator";

const PAGE = 65536;
const nothing = (): void => {};

/** An emulator with so many MiB of guest RAM, which begins behind the first page of its memory. */
export function fakeEmulator(devices: Readonly<Record<string, unknown>> = {}, mebibytes = 2) {
  const memory = new WebAssembly.Memory({ initial: 1 + mebibytes * 16 });
  const pci = {
    devices: [],
    device_spaces: [],
    register_device: () => new Int32Array(64),
    raise_irq: nothing,
    lower_irq: nothing,
  };
  const empty = () => ({
    read8: () => 0,
    read16: () => 0,
    read32: () => 0,
    write8: nothing,
    write16: nothing,
    write32: nothing,
    device: undefined,
  });
  const dirty: [low: number, high: number][] = [];
  const cpu: V86Cpu = {
    io: {
      ports: Array.from({ length: 65536 }, empty),
      create_empty_entry: empty,
      register_read: nothing,
      register_write: nothing,
    },
    devices: { pci, ...devices },
    mem8: { byteOffset: PAGE },
    memory_size: Uint32Array.of(mebibytes * 16 * PAGE),
    wasm_memory: memory,
    jit_dirty_cache: (low, high) => void dirty.push([low, high]),
    get_state: () => [],
    set_state: nothing,
    reboot_internal: nothing,
  };
  const snapshots = {
    save_state: () => Promise.resolve(new ArrayBuffer(0)),
    restore_state: () => Promise.resolve(),
  };
  return { v86: { cpu }, ...snapshots, dirty };
}

/** A device of two queues that offers VERSION_1. */
export function fakeVirtio(): V86Virtio {
  const bars: V86Bar[] = [
    { size: 64, entries: [] },
    { size: 16, entries: [] },
  ];
  const queues = [fakeQueue(), fakeQueue()];
  return {
    name: "virtio-fake",
    pci_id: 0x50,
    pci_space: [],
    pci_bars: bars,
    queues,
    device_feature_select: 0,
    driver_feature_select: 0,
    queue_select: 0,
    queue_selected: queues[0] ?? null,
    device_feature: Uint32Array.of(0, 1, 0, 0),
    driver_feature: Uint32Array.of(0, 1, 0, 0),
    device_status: 0,
    raise_irq: nothing,
    needs_reset: nothing,
    set_state: nothing,
  };
}

function fakeQueue(): V86VirtQueue {
  return {
    size: 32,
    size_supported: 32,
    enabled: false,
    notify_offset: 0,
    desc_addr: 0,
    avail_addr: 0,
    used_addr: 0,
    reset: nothing,
    set_size: nothing,
    is_configured: () => false,
    enable: nothing,
    count_requests: () => 0,
    has_request: () => false,
    pop_request: (): V86BufferChain => {
      throw new Error("the fake has no requests");
    },
    push_reply: nothing,
    flush_replies: nothing,
    notify_me_after: nothing,
    get_state: () => [],
    set_state: nothing,
  };
}
