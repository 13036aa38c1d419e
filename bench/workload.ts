/**
 * What is measured: the shape of a chain, the batch, and the submission records that every ring reads.
 * The records have the core's form (assembly/batch.ts), so that each ring starts from the same words.
 */

/** Bytes of guest RAM; guest address 0 is its start. */
export const GUEST_BYTES = 1 << 20;
/** Where the three ring areas and the indirect tables lie, as guest addresses. */
export const AREAS = { descriptor: 0x1000, driver: 0x6000, device: 0x8000, tables: 0x10000 } as const;
/** Entries of each indirect table of the slab at AREAS.tables. */
export const TABLE_ENTRIES = 4;
const BUFFERS = 0x40000;

/** One chain as the driver submits it; lengths in bytes. */
export interface Shape {
  readonly name: string;
  readonly readable: readonly number[];
  readonly writable: readonly number[];
  readonly indirect: boolean;
}

export const SHAPES: readonly Shape[] = [
  { name: "1 descriptor", readable: [], writable: [64], indirect: false },
  { name: "3 descriptors", readable: [16], writable: [512, 1], indirect: false },
  { name: "3 indirect", readable: [16], writable: [512, 1], indirect: true },
];

/** Entries of the ring that moves such batches: 256, or as many more as a batch needs. */
export function queueSize(shape: Shape, batch: number): number {
  const descriptors = shape.indirect ? 1 : shape.readable.length + shape.writable.length;
  let size = 256;
  while (size < batch * descriptors) size *= 2;
  return size;
}

/** 32-bit words of one submission record of this shape. */
export function submissionWords(shape: Shape): number {
  return 4 + 4 * (shape.readable.length + shape.writable.length);
}

/**
 * `batch` submission records, each with buffers of its own.
 *
 * @returns batch × { readableCount, writableCount, flags, 0, (counts) × { gpa low, gpa high, length, 0 } }
 */
export function submissions(shape: Shape, batch: number): Uint32Array<ArrayBuffer> {
  const words = submissionWords(shape);
  const records = new Uint32Array(words * batch);
  for (let chain = 0; chain < batch; chain++) {
    let at = chain * words;
    records.set([shape.readable.length, shape.writable.length, shape.indirect ? 1 : 0, 0], at);
    let address = BUFFERS + chain * 0x400;
    for (const length of [...shape.readable, ...shape.writable]) {
      at += 4;
      records.set([address, 0, length, 0], at);
      address += length;
    }
  }
  return records;
}
