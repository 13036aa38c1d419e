/** A device of any type behind a loopback, and a driver that sends it chains of any shape. */
import { loadCoreSync } from "../../src/core/core";
import { type DeviceOptions, VirtioDevice } from "../../src/device/device";
import type { DeviceModel } from "../../src/device/model";
import { type DriverOptions, VirtioDriver } from "../../src/driver/driver";
import { Loopback } from "../../src/transport/loopback";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";

/** Ring features of the layouts that every model test runs over. */
export const LAYOUTS: readonly (readonly [name: string, features: readonly string[]])[] = [
  ["split", ["VERSION_1"]],
  ["split, EVENT_IDX", ["VERSION_1", "EVENT_IDX"]],
  ["packed", ["VERSION_1", "RING_PACKED"]],
  ["packed, IN_ORDER", ["VERSION_1", "RING_PACKED", "IN_ORDER"]],
];

/** A chain that was sent. */
export interface Sent {
  readonly token: number;
  /** Guest addresses of the writable buffers. */
  readonly answers: readonly { readonly address: number; readonly length: number }[];
}

/** Byte that writable buffers hold until the device writes them. */
export const UNWRITTEN = 0xee;

export async function openRig(
  model: DeviceModel,
  accept: readonly string[],
  options: DeviceOptions = {},
  driverOptions: Partial<DriverOptions> = {},
) {
  const core = loadCoreSync({ guestBytes: 0x400000 });
  const allocator = new GuestAllocator(core);
  const events: string[] = [];
  let interrupts = 0;
  const device = new VirtioDevice(core, model, {
    onEvent: ({ side, step, note }) => events.push(`${side} ${step} ${note ?? ""}`),
    ...options,
  });
  const driver = new VirtioDriver({
    port: new Loopback(device),
    core,
    allocator,
    supports: accept,
    queueSize: 64,
    onUsed: () => interrupts++,
    ...driverOptions,
  });
  const result = await driver.initialize();
  if (!result.ok) throw new Error(result.reason);

  return {
    core,
    allocator,
    device,
    driver,
    events,
    get interrupts() {
      return interrupts;
    },
    get queue() {
      return this.queueAt(0);
    },
    queueAt(index: number) {
      const queue = driver.queues[index];
      if (queue === undefined) throw new Error(`no queue ${index}`);
      return queue;
    },
    /** Adds a chain to a queue and publishes it. */
    send(readable: readonly Uint8Array[], writable: readonly number[], index = 0): Sent {
      const place = (length: number) => ({ address: allocator.allocate(Math.max(1, length)), length });
      const questions = readable.map((bytes) => {
        const segment = place(bytes.length);
        core.view(segment.address, bytes.length).set(bytes);
        return segment;
      });
      const answers = writable.map(place);
      for (const { address, length } of answers) core.view(address, length).fill(UNWRITTEN);
      const token = this.queueAt(index).add(questions, answers);
      if (token === 0) throw new Error("the queue is full");
      void driver.kick(index);
      return { token, answers };
    },
    /** The bytes of a chain's writable buffers, end to end. */
    answerOf({ answers }: Sent): number[] {
      return answers.flatMap(({ address, length }) => [...core.view(address, length)]);
    },
    /** Tokens and used lengths that came back. */
    used(index = 0): { token: number; length: number }[] {
      return [...this.queueAt(index).usedBuffers()];
    },
    /** Sends one chain, has the device serve it, and gives back its used length and its answer. */
    ask(
      readable: readonly Uint8Array[],
      writable: readonly number[],
      index = 0,
    ): { length: number; answer: number[] } {
      const sent = this.send(readable, writable, index);
      device.process();
      const [back] = this.used(index);
      if (back?.token !== sent.token) throw new Error("the chain did not come back");
      return { length: back.length, answer: this.answerOf(sent) };
    },
  };
}

/** A request header (§5.2.6). */
export function header(type: number, sector: number | bigint = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt(sector), true);
  return bytes;
}

/** Bytes that differ from sector to sector. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 9) * 13 + seed) & 0xff);
}

/** Cuts bytes into pieces of the given lengths, the last one takes the rest. */
export function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const length of lengths) {
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return at < bytes.length ? [...pieces, bytes.subarray(at)] : pieces;
}
