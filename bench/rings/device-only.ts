/**
 * The device half of a split queue alone. A stub stands for the driver: it writes the chains once, and makes the same
 * ones available again by moving the index, which costs one store for each batch.
 */
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import { VIRTQ_AVAIL_F_NO_INTERRUPT, VIRTQ_USED_ENTRY_SIZE, VIRTQ_USED_RING } from "../../src/spec/split";
import { now } from "../clock";
import { checksum, type Ring, type Sample, type Workload } from "../ring";
import { areasOf, SMALL_QUEUE, submissionWords, TABLE_ENTRIES } from "../workload";

/** A device half, set up on the areas of the workload's first queue. */
export interface DeviceHalf {
  /** Guest RAM from guest address 0 on. */
  guest(): Uint8Array;
  /** Takes, uses with length 0 and publishes a batch; chains served. */
  serve(): number;
  /** As `serve`, but gives the sum of `seenOf` over what it was given. */
  witness(): number;
  close?(): void;
}

/** Why a device half can't be measured alone on a workload; undefined: it can. */
export function refusesAlone({ queueSize, queues, notify, device, batch }: Workload): string | undefined {
  if (queues > 1 || notify !== "off" || device !== "sink" || queueSize > SMALL_QUEUE)
    return `a device alone serves one queue of at most ${SMALL_QUEUE}, without notifications or payload`;
  return queueSize % batch === 0 ? undefined : "the batch must divide the queue size";
}

export class DeviceOnly implements Ring {
  readonly #half: DeviceHalf;
  readonly #workload: Workload;
  /** The driver area's words: flags, idx, ring. */
  readonly #avail: Uint16Array;
  #idx = 0;

  constructor(half: DeviceHalf, workload: Workload) {
    this.#half = half;
    this.#workload = workload;
    const guest = half.guest();
    const { driver } = areasOf(workload.queueSize, 0);
    this.#avail = new Uint16Array(guest.buffer, guest.byteOffset + driver, workload.queueSize + 2);
    writeChains(guest, workload, this.#avail);
  }

  run(chains: number): Sample {
    const { batch } = this.#workload;
    const rounds = chains / batch;
    const start = now();
    for (let round = 0; round < rounds; round++) this.#round(batch);
    const ns = now() - start;
    const used = this.#usedLengths();
    this.#idx = (this.#idx + batch) & 0xffff;
    this.#avail[1] = this.#idx;
    const seen = this.#half.witness();
    return {
      ns,
      checksum: checksum({ chains, used: Math.imul(rounds, used), seen: Math.imul(rounds, seen) }),
    };
  }

  close(): void {
    this.#half.close?.();
  }

  #round(batch: number): void {
    this.#idx = (this.#idx + batch) & 0xffff;
    this.#avail[1] = this.#idx;
    if (this.#half.serve() !== batch) throw new Error("a chain was not served");
  }

  /** Of the last batch, in its order. */
  #usedLengths(): number {
    const { batch, queueSize } = this.#workload;
    const guest = this.#half.guest();
    const view = new DataView(guest.buffer, guest.byteOffset + areasOf(queueSize, 0).device);
    if (view.getUint16(2, true) !== this.#idx) throw new Error("the used index is not where it should be");
    let lengths = 0;
    for (let i = 0; i < batch; i++) {
      const slot = (this.#idx - batch + i) & (queueSize - 1);
      const element = VIRTQ_USED_RING + slot * VIRTQ_USED_ENTRY_SIZE;
      if (view.getUint32(element, true) !== this.#avail[2 + slot]) throw new Error("another chain was used");
      lengths += view.getUint32(element + 4, true);
    }
    return lengths;
  }
}

/** Writes a batch of chains, and every slot of the available ring. */
function writeChains(guest: Uint8Array, workload: Workload, avail: Uint16Array): void {
  const { shape, batch, queueSize, submissions } = workload;
  const { descriptor, tables } = areasOf(queueSize, 0);
  const view = new DataView(guest.buffer, guest.byteOffset);
  const count = shape.readable.length + shape.writable.length;
  const put = (at: number, address: number, length: number, flags: number, next: number) => {
    view.setBigUint64(at, BigInt(address), true);
    view.setUint32(at + 8, length, true);
    view.setUint16(at + 12, flags, true);
    view.setUint16(at + 14, next, true);
  };
  for (let chain = 0; chain < batch; chain++) {
    const head = shape.indirect ? chain : chain * count;
    const base = shape.indirect ? tables + chain * TABLE_ENTRIES * VIRTQ_DESC_SIZE : descriptor;
    for (let i = 0; i < count; i++) {
      const at = chain * submissionWords(shape) + 4 + 4 * i;
      const slot = shape.indirect ? i : head + i;
      const write = i < shape.readable.length ? 0 : VIRTQ_DESC_F_WRITE;
      const [address = 0, , length = 0] = submissions.subarray(at, at + 3);
      const more = i + 1 < count;
      put(
        base + slot * VIRTQ_DESC_SIZE,
        address,
        length,
        more ? write | VIRTQ_DESC_F_NEXT : write,
        more ? slot + 1 : 0,
      );
    }
    if (shape.indirect)
      put(descriptor + head * VIRTQ_DESC_SIZE, base, count * VIRTQ_DESC_SIZE, VIRTQ_DESC_F_INDIRECT, 0);
    for (let slot = chain; slot < queueSize; slot += batch) avail[2 + slot] = head;
  }
  avail[0] = VIRTQ_AVAIL_F_NO_INTERRUPT;
}
