/**
 * Workloads, and where they lie in guest RAM: the three ring areas, the slab of indirect tables, the buffers.
 * Guest address 0 is the start of guest RAM; every ring puts the same bytes at the same places.
 */
import type { Shape, Workload } from "./ring";

const SHAPES_LIST = [
  { name: "1", readable: [64], writable: [], indirect: false },
  { name: "3", readable: [16, 512], writable: [1], indirect: false },
  { name: "3-indirect", readable: [16, 512], writable: [1], indirect: true },
] as const satisfies readonly Shape[];

/** The shapes of the suites by name: one descriptor as a network driver sends, three as a block driver writes. */
export const SHAPES: Readonly<Record<string, Shape>> = Object.fromEntries(
  SHAPES_LIST.map((shape) => [shape.name, shape]),
);

/** One readable and one writable buffer of so many bytes. */
export function payloadShape(bytes: number): Shape {
  return { name: `${bytes} B`, readable: [bytes], writable: [bytes], indirect: false };
}

/** One request of a whole stack; how many descriptors carry it is the driver's affair. */
export function requestShape(bytes: number): Shape {
  return { name: `${bytes} B`, readable: [bytes], writable: [], indirect: false };
}

/** Entries of each indirect table. */
export const TABLE_ENTRIES = 4;

/** Guest addresses of a queue's parts. */
export interface Areas {
  readonly descriptor: number;
  readonly driver: number;
  readonly device: number;
  readonly tables: number;
  /** Bytes of all of them, from `descriptor` on. */
  readonly bytes: number;
}

/** Largest queue that {@link SMALL_AREAS} hold. */
export const SMALL_QUEUE = 1024;
// Where a queue of at most SMALL_QUEUE descriptors lies: bare numbers, so that a ring has them as constants.
export const SMALL_DESCRIPTOR = 0x1000;
export const SMALL_DRIVER = 0x6000;
export const SMALL_DEVICE = 0x8000;
export const SMALL_TABLES = 0x10000;
const SMALL_BYTES = 0x20000;
/** The first buffer of a small workload. */
const SMALL_BUFFERS = 0x40000;
/** Bytes of guest RAM of a small workload. */
export const SMALL_GUEST_BYTES = 0x100000;

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/** Where queue number `index` of so many descriptors lies. */
export function areasOf(queueSize: number, index: number): Areas {
  if (queueSize <= SMALL_QUEUE) {
    const shift = index * SMALL_BYTES;
    return {
      descriptor: SMALL_DESCRIPTOR + shift,
      driver: SMALL_DRIVER + shift,
      device: SMALL_DEVICE + shift,
      tables: SMALL_TABLES + shift,
      bytes: SMALL_BYTES,
    };
  }
  const driverAt = roundUp(queueSize * 16, 4096);
  const deviceAt = driverAt + roundUp(queueSize * 2 + 6, 4096);
  const tablesAt = deviceAt + roundUp(queueSize * 8 + 6, 4096);
  const bytes = tablesAt + queueSize * TABLE_ENTRIES * 16;
  const descriptor = 0x1000 + index * bytes;
  return {
    descriptor,
    driver: descriptor + driverAt,
    device: descriptor + deviceAt,
    tables: descriptor + tablesAt,
    bytes,
  };
}

/** What a workload is made of; the rest follows. */
export interface WorkloadChoice {
  readonly shape: Shape;
  readonly batch: number;
  /** At least this many descriptors; more if a batch needs them. Default 256. */
  readonly queueSize?: number;
  readonly queues?: number;
  readonly device?: Workload["device"];
  readonly notify?: Workload["notify"];
  /** Default 1. */
  readonly seed?: number;
}

/** Completes a workload: a ring that a batch fits into, and its submissions. */
export function workloadOf(choice: WorkloadChoice): Workload {
  const { shape, batch, queues = 1, device = "sink", notify = "off", seed = 1 } = choice;
  const descriptors = shape.indirect ? 1 : shape.readable.length + shape.writable.length;
  let queueSize = choice.queueSize ?? 256;
  while (queueSize < batch * descriptors) queueSize *= 2;
  const submissions = submissionsOf(shape, batch, firstBuffer(queueSize, queues));
  return { shape, batch, queueSize, queues, device, notify, seed, submissions };
}

/** Bytes of guest RAM that a workload needs. */
export function guestBytes({ queueSize, queues, batch, shape }: Workload): number {
  const end = firstBuffer(queueSize, queues) + batch * bufferBytes(shape);
  return Math.max(SMALL_GUEST_BYTES, roundUp(end, 65536));
}

/** Words of one submission record. */
export function submissionWords({ readable, writable }: Shape): number {
  return 4 + 4 * (readable.length + writable.length);
}

function firstBuffer(queueSize: number, queues: number): number {
  const { descriptor, bytes } = areasOf(queueSize, queues - 1);
  return Math.max(SMALL_BUFFERS, roundUp(descriptor + bytes, 4096));
}

function bufferBytes({ readable, writable }: Shape): number {
  return roundUp(
    [...readable, ...writable].reduce((sum, length) => sum + length, 0),
    0x400,
  );
}

/** Each chain has buffers of its own. */
function submissionsOf(shape: Shape, batch: number, buffers: number): Uint32Array<ArrayBuffer> {
  const words = submissionWords(shape);
  const records = new Uint32Array(words * batch);
  for (let chain = 0; chain < batch; chain++) {
    let at = chain * words;
    records.set([shape.readable.length, shape.writable.length, shape.indirect ? 1 : 0, 0], at);
    let address = buffers + chain * bufferBytes(shape);
    for (const length of [...shape.readable, ...shape.writable]) {
      at += 4;
      records.set([address, 0, length, 0], at);
      address += length;
    }
  }
  return records;
}
