/** A device on v86's queue and chain objects: v86's own, or ours behind the same methods. */
import type { V86VirtQueue } from "../../src/adapters/v86/emulator";
import { UpgradedQueue } from "../../src/adapters/v86/queue";
import { type Core, loadCoreSync } from "../../src/core/core";
import { type RingAdapter, seenOf, type Workload } from "../ring";
import { areasOf, guestBytes } from "../workload";
import { type DeviceHalf, DeviceOnly, refusesAlone } from "./device-only";

/** A chain as v86's and ours are; ours shows its readable buffers through its reader alone. */
interface Popped {
  readonly read_buffers?: readonly { readonly addr_low: number; readonly len: number }[];
}

export const WASM_DEVICE_DROP_IN: RingAdapter = {
  name: "wasm-device-drop-in",
  refuses: refusesAlone,
  open: (workload) => {
    const core = loadCoreSync({ guestBytes: guestBytes(workload) });
    const guest = () => core.bytes().subarray(core.translate(0, 1));
    const queue = new UpgradedQueue(homeOf(core), 0, stockOf(workload));
    return new DeviceOnly(new ObjectDevice(queue, guest, workload), workload);
  },
};

/** A device that is live, whose interrupts nobody takes. */
function homeOf(core: Core): ConstructorParameters<typeof UpgradedQueue>[0] {
  const fail = (error: unknown) => {
    throw error;
  };
  return {
    core,
    ring: {
      layout: "split",
      eventIdx: false,
      indirect: true,
      inOrder: false,
      notificationData: false,
      notifyOnEmpty: false,
      reason: "the benchmark's",
    },
    isLive: true,
    onTouched: () => {},
    interrupt: () => {},
    violation: fail,
    breakDown: fail,
  };
}

function stockOf({ queueSize }: Workload): V86VirtQueue {
  return { size_supported: queueSize, notify_offset: 0 } as V86VirtQueue;
}

export class ObjectDevice implements DeviceHalf {
  readonly guest: () => Uint8Array;
  /** Bytes that the device was given. */
  bytes = 0;
  readonly #queue: V86VirtQueue;
  readonly #workload: Workload;

  constructor(queue: V86VirtQueue, guest: () => Uint8Array, workload: Workload) {
    const { descriptor, driver, device } = areasOf(workload.queueSize, 0);
    queue.set_size(workload.queueSize);
    queue.desc_addr = descriptor;
    queue.avail_addr = driver;
    queue.used_addr = device;
    queue.enable();
    this.guest = guest;
    this.#queue = queue;
    this.#workload = workload;
  }

  serve(): number {
    const queue = this.#queue;
    let bytes = 0;
    let served = 0;
    for (; queue.has_request(); served++) {
      const chain = queue.pop_request();
      bytes += chain.length_readable + chain.length_writable;
      queue.push_reply(chain);
    }
    queue.flush_replies();
    this.bytes = bytes;
    return served;
  }

  /** Chain objects tell where the writable buffers are, and v86's where the readable ones; ours are read instead. */
  witness(): number {
    const { shape, submissions } = this.#workload;
    const queue = this.#queue;
    let seen = 0;
    for (let word = 0; queue.has_request(); ) {
      const chain = queue.pop_request() as ReturnType<V86VirtQueue["pop_request"]> & Popped;
      if (chain.read_buffers === undefined) seen += readableSeen(chain, shape.readable, submissions, word);
      for (const { addr_low, len } of chain.read_buffers ?? []) seen += seenOf(addr_low, len, false);
      for (const { addr_low, len } of chain.write_buffers) seen += seenOf(addr_low, len, true);
      queue.push_reply(chain);
      word += 4 + 4 * (shape.readable.length + shape.writable.length);
    }
    queue.flush_replies();
    return seen >>> 0;
  }
}

/** What is read, always the same: buffers that come and go would be collected while time is taken. */
const READ = new Uint8Array(65536);

/** Sum over the readable buffers of a chain that shows their bytes alone: it must have as many as were submitted. */
function readableSeen(
  chain: ReturnType<V86VirtQueue["pop_request"]>,
  lengths: readonly number[],
  submissions: Uint32Array,
  word: number,
): number {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (chain.get_next_blob(READ.subarray(0, total + 1)) !== total) return 0;
  return lengths.reduce(
    (sum, length, i) => sum + seenOf(submissions[word + 4 + 4 * i] as number, length, false),
    0,
  );
}
