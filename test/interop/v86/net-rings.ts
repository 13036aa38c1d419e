/**
 * One network device of v86's whose rings are exchanged while its driver is unbound, v86's own against ours, and one of
 * ours beside it: the same guest, the same driver, the same work, in one boot.
 */
import type { V86PortEntry, V86Virtio } from "../../../src/adapters/v86/emulator";
import { stockDevice, v86Cpu } from "../../../src/adapters/v86/hooks";
import { intercept } from "../../../src/adapters/v86/intercept";
import { upgrade } from "../../../src/adapters/v86/upgrade";
import { PLAIN_NET_HEADER } from "../../../src/models";
import type { NetPlug, NetWire } from "../../../src/models/net-wire";
import { FeatureSet } from "../../../src/negotiation/feature-set";
import type { AttachedDevice } from "../../../src/v86";
import { ChainReader, ChainWriter } from "../../../src/virtqueue/chain";
import { DeviceQueue } from "../../../src/virtqueue/device-queue";
import type { Stopwatch } from "./stopwatch";

/** What happened on a device since it was made. */
export interface NetCounts {
  /** Buffers used, both ways. */
  readonly chains: number;
  /** Writes to its notification registers. */
  readonly kicks: number;
  /** Times that its interrupt line was raised. */
  readonly interrupts: number;
}

/** A way to carry frames. */
export interface NetRings {
  readonly name: string;
  /** Brings these rings in, and the stopwatch; the driver is not bound. @returns takes the stopwatch away */
  use(watch: Stopwatch): () => void;
  counts(): NetCounts;
}

/** Methods of a queue as v86's device models call them: both kinds of rings have them. */
const QUEUE = [
  "has_request",
  "count_requests",
  "pop_request",
  "push_reply",
  "flush_replies",
  "notify_me_after",
];
const COPY = ["get_next_blob", "set_next_blob"];
/** What our devices call instead, on queues that are told of notifications by v86's registers. */
const DEVICE_QUEUE = ["take", "chain", "complete", "publish", "arm", "disarm", "hasAvailable"];
const NOTIFY_BAR = 1;

/** v86's network device, upgraded, with what it was before. */
export class ExchangeableNet {
  private readonly virtio: V86Virtio;
  private readonly stock: V86Virtio["queues"];
  private readonly stockFeatures: readonly number[];
  private readonly ours: V86Virtio["queues"];
  private chains = 0;
  private kicks = 0;
  private readonly interrupts: () => number;

  private constructor(
    virtio: V86Virtio,
    before: { readonly queues: V86Virtio["queues"]; readonly features: readonly number[] },
    interrupts: () => number,
  ) {
    this.virtio = virtio;
    this.stock = before.queues;
    this.stockFeatures = before.features;
    this.ours = virtio.queues;
    this.interrupts = interrupts;
    for (const entry of virtio.pci_bars[NOTIFY_BAR]?.entries ?? []) this.countKicks(entry);
    for (const queue of [...this.stock, ...this.ours]) {
      intercept(queue, "push_reply", (push) => (chain) => {
        this.chains++;
        push(chain);
      });
    }
  }

  static async of(emulator: object): Promise<ExchangeableNet> {
    const cpu = v86Cpu(emulator);
    const virtio = stockDevice(cpu, "net")?.virtio;
    if (virtio === undefined) throw new Error("the emulator has no virtio-net");
    const before = { queues: virtio.queues, features: [...virtio.device_feature] };
    await upgrade(emulator, { devices: ["net"] });
    return new ExchangeableNet(virtio, before, countInterrupts(emulator, virtio.pci_id));
  }

  /** @param features of the ring, to be offered besides v86's; undefined for v86's own rings */
  rings(name: string, features?: readonly string[]): NetRings {
    return {
      name,
      use: (watch) => {
        this.exchange(features);
        return this.measure(watch);
      },
      counts: () => ({ chains: this.chains, kicks: this.kicks, interrupts: this.interrupts() }),
    };
  }

  private exchange(features: readonly string[] | undefined): void {
    const { virtio, stockFeatures } = this;
    virtio.queues = features === undefined ? this.stock : this.ours;
    virtio.queue_selected = virtio.queues[virtio.queue_select] ?? null;
    const plain = FeatureSet.fromWords(stockFeatures);
    virtio.device_feature.set(
      features === undefined ? plain.words : plain.union(FeatureSet.from(features)).words,
    );
  }

  private measure(watch: Stopwatch): () => void {
    return together(
      this.virtio.queues.flatMap((queue) => [
        watch.measure("ring", queue, QUEUE),
        // In front of what is measured: wrapping a chain is no part of the ring.
        intercept(queue, "pop_request", (pop) => () => {
          const chain = pop();
          watch.measure("copy", chain, COPY);
          return chain;
        }),
      ]),
    );
  }

  private countKicks(entry: V86PortEntry): void {
    const write = entry.write16;
    entry.write16 = (value) => {
      this.kicks++;
      write.call(entry.device, value);
    };
  }
}

/** One of our devices, which v86 knows nothing of but its ports. */
export function attachedRings(name: string, emulator: object, { device, slot }: AttachedDevice): NetRings {
  const interrupts = countInterrupts(emulator, slot << 3);
  return {
    name,
    use: (watch) =>
      together([
        watch.measure("ring", DeviceQueue.prototype, DEVICE_QUEUE),
        watch.measure("copy", ChainReader.prototype, ["read"]),
        watch.measure("copy", ChainWriter.prototype, ["write"]),
      ]),
    counts: () => {
      const { chains, availableNotifications: kicks } = device.counters;
      return { chains, kicks, interrupts: interrupts() };
    },
  };
}

/** Undoes what was done last first. */
function together(undo: readonly (() => void)[]): () => void {
  return () => {
    for (const one of undo.toReversed()) one();
  };
}

/** How often a function raises its line, from now on. */
function countInterrupts(emulator: object, pciId: number): () => number {
  let count = 0;
  intercept(v86Cpu(emulator).devices.pci, "raise_irq", (raise) => (raised) => {
    if (raised === pciId) count++;
    raise(raised);
  });
  return () => count;
}

/** v86's network device as something that a wire can be plugged into. */
export function stockPlug(emulator: object): NetPlug {
  const { bus } = emulator as {
    readonly bus: {
      send(event: string, frame: Uint8Array): void;
      register(event: string, handler: (frame: Uint8Array) => void, self: unknown): void;
    };
  };
  let wire: NetWire | undefined;
  const { add_listener: listen } = emulator as {
    add_listener(event: string, handler: (frame: Uint8Array) => void): void;
  };
  listen.call(emulator, "net0-send", (frame) => void wire?.send(frame, PLAIN_NET_HEADER));
  return {
    get wire() {
      return wire;
    },
    set wire(plugged) {
      wire = plugged;
    },
    receive: (frame) => {
      bus.send("net0-receive", frame);
      return true;
    },
  };
}
