/**
 * The classic capture format, pcap 2.4: a file header, then records. Microseconds and nanoseconds, either byte order.
 * Not here: the modified formats of the nineties with longer records; they are refused by their magic number.
 */
import { CaptureError } from "./capture-error";
import { type CapturedFrame, checkLengths, checkLinkType } from "./frame";
import { type CaptureSource, fields, piece } from "./source";

/** What the magic number says. */
interface Dialect {
  readonly littleEndian: boolean;
  /** Nanoseconds of one unit in a record's fraction of a second. */
  readonly unit: bigint;
}

/** By the first four bytes, read as little-endian. */
const DIALECTS: ReadonlyMap<number, Dialect> = new Map([
  [0xa1b2c3d4, { littleEndian: true, unit: 1000n }],
  [0xd4c3b2a1, { littleEndian: false, unit: 1000n }],
  [0xa1b23c4d, { littleEndian: true, unit: 1n }],
  [0x4d3cb2a1, { littleEndian: false, unit: 1n }],
]);

/*
 * File header: u32 magic, u16 major, u16 minor, u32 × 2 unused, u32 snap length, u32 link type.
 * Record:      u32 seconds, u32 fraction, u32 captured length, u32 original length, then the captured bytes.
 */
const FILE_HEADER = 24;
const RECORD_HEADER = 16;

/** Whether a file that begins with this number, read as little-endian, is pcap. */
export function isPcap(magic: number): boolean {
  return DIALECTS.has(magic);
}

/**
 * The frames of a pcap file, in order, each read when it is asked for.
 *
 * @throws CaptureError while it is iterated
 */
export function* pcapFrames(source: CaptureSource): Generator<CapturedFrame, void> {
  const { littleEndian, unit } = readHeader(source);
  for (let offset = FILE_HEADER; offset < source.size; ) {
    const header = fields(source, offset, RECORD_HEADER, `the record header at offset ${offset}`);
    const seconds = header.getUint32(0, littleEndian);
    const fraction = header.getUint32(4, littleEndian);
    const captured = header.getUint32(8, littleEndian);
    const originalLength = header.getUint32(12, littleEndian);
    const data = offset + RECORD_HEADER;
    const what = `the record at offset ${offset}`;
    checkLengths(what, offset, captured, originalLength, source.size - data);
    const timestamp = BigInt(seconds) * 1_000_000_000n + BigInt(fraction) * unit;
    yield { bytes: piece(source, data, captured, what), timestamp, interface: 0, originalLength, offset };
    offset = data + captured;
  }
}

function readHeader(source: CaptureSource): Dialect {
  const header = fields(source, 0, FILE_HEADER, "the file header at offset 0");
  const dialect = DIALECTS.get(header.getUint32(0, true));
  if (dialect === undefined) throw new CaptureError("CAPTURE_INVALID", 0, "no pcap file");
  const { littleEndian } = dialect;
  const version = `${header.getUint16(4, littleEndian)}.${header.getUint16(6, littleEndian)}`;
  if (version !== "2.4") {
    const text = `the file header at offset 4 says pcap version ${version}, only 2.4 is read`;
    throw new CaptureError("CAPTURE_INVALID", 4, text);
  }
  // The upper half says whether frames end with their check sequence: those bytes are carried like any other.
  checkLinkType(header.getUint32(20, littleEndian) & 0xffff, 20, "the file header at offset 20 says");
  return dialect;
}
