/**
 * The capture format pcapng 1.x: blocks in sections, each section with its own byte order and interfaces. Enhanced,
 * simple and obsolete packet blocks give frames; every other block (names, statistics, secrets, custom) is skipped.
 * A section's own length is not used: the blocks say where they end.
 */
import { CaptureError } from "./capture-error";
import { type CapturedFrame, checkLengths, checkLinkType } from "./frame";
import { type CaptureInterface, readInterface } from "./pcapng-interface";
import { type CaptureSource, fields, piece } from "./source";

/** First field of a section header block; it reads the same in both byte orders. */
export const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type and length in front, the length again behind. */
const BLOCK_HEADER = 8;
const BLOCK_TRAILER = 4;
const MAJOR_VERSION = 1;
/** Bytes of an enhanced packet's body in front of the frame. */
const PACKET_FIELDS = 20;

/** A block whose two lengths agree. */
interface Block {
  readonly type: number;
  readonly offset: number;
  /** Where its body begins, and the bytes of it. */
  readonly body: number;
  readonly length: number;
  /** For messages. */
  readonly what: string;
}

/** What holds until the next section header. */
interface Section {
  readonly littleEndian: boolean;
  readonly interfaces: CaptureInterface[];
  /** Interfaces of the sections before. */
  readonly before: number;
}

/** What a packet block says of its frame. */
interface PacketFields {
  /** Of the interface, in the section. */
  readonly index: number;
  /** In units of the interface. */
  readonly time: bigint | undefined;
  /** Where the frame's bytes begin in the body. */
  readonly dataAt: number;
  readonly captured: number;
  readonly original: number;
}

/**
 * The frames of a pcapng file, in order, each read when it is asked for.
 *
 * @throws CaptureError while it is iterated
 */
export function* pcapngFrames(source: CaptureSource): Generator<CapturedFrame, void> {
  let section: Section = { littleEndian: true, interfaces: [], before: 0 };
  for (let offset = 0; offset < source.size; ) {
    const type = blockType(source, offset, section);
    if (type === SECTION_HEADER) section = nextSection(source, offset, section);
    const block = readBlock(source, offset, type, section);
    if (type === SECTION_HEADER) checkVersion(source, block, section);
    else if (type === INTERFACE_DESCRIPTION) {
      const { littleEndian, interfaces } = section;
      interfaces.push(readInterface(source, block.offset, block.body, block.length, littleEndian));
    } else if (type === ENHANCED_PACKET || type === PACKET) yield packet(source, block, section);
    else if (type === SIMPLE_PACKET) yield simplePacket(source, block, section);
    offset = block.body + block.length + BLOCK_TRAILER;
  }
}

function blockType(source: CaptureSource, offset: number, { littleEndian }: Section): number {
  const header = fields(source, offset, BLOCK_HEADER, `the block header at offset ${offset}`);
  return header.getUint32(0, littleEndian);
}

/** A section's byte order is in its header's body: it says how to read the length in front of it. */
function nextSection(source: CaptureSource, offset: number, previous: Section): Section {
  const at = offset + BLOCK_HEADER;
  const magic = fields(source, at, 4, `the byte-order magic at offset ${at}`).getUint32(0, true);
  const isSwapped = magic === 0x4d3c2b1a;
  if (magic !== BYTE_ORDER_MAGIC && !isSwapped) {
    const text = `the section header at offset ${offset} has byte-order magic 0x${magic.toString(16)}, not 0x1a2b3c4d in either order`;
    throw new CaptureError("CAPTURE_INVALID", at, text);
  }
  return { littleEndian: !isSwapped, interfaces: [], before: previous.before + previous.interfaces.length };
}

function readBlock(source: CaptureSource, offset: number, type: number, { littleEndian }: Section): Block {
  const what = `the block at offset ${offset}`;
  const total = fields(source, offset, BLOCK_HEADER, what).getUint32(4, littleEndian);
  const left = source.size - offset;
  if (total < BLOCK_HEADER + BLOCK_TRAILER || total % 4 !== 0) {
    const text = `${what} says ${total} bytes: a block has a multiple of 4, at least ${BLOCK_HEADER + BLOCK_TRAILER}`;
    throw new CaptureError("CAPTURE_INVALID", offset, text);
  }
  if (total > left) {
    throw new CaptureError("CAPTURE_TRUNCATED", offset, `${what} says ${total} bytes, ${left} are left`);
  }
  const trailer = fields(source, offset + total - BLOCK_TRAILER, BLOCK_TRAILER, what);
  const again = trailer.getUint32(0, littleEndian);
  if (again !== total) {
    const text = `${what} says ${total} bytes at its start and ${again} at its end`;
    throw new CaptureError("CAPTURE_INVALID", offset, text);
  }
  return { type, offset, body: offset + BLOCK_HEADER, length: total - BLOCK_HEADER - BLOCK_TRAILER, what };
}

/** Body: u32 byte-order magic, u16 major, u16 minor, i64 section length, options. */
function checkVersion(source: CaptureSource, block: Block, { littleEndian }: Section): void {
  const body = bodyFields(source, block, 16);
  const major = body.getUint16(4, littleEndian);
  if (major === MAJOR_VERSION) return;
  const text = `${block.what} says pcapng version ${major}.${body.getUint16(6, littleEndian)}, only ${MAJOR_VERSION}.x is read`;
  throw new CaptureError("CAPTURE_INVALID", block.offset, text);
}

/**
 * Body: u32 interface, u32 × 2 timestamp, u32 captured length, u32 original length, bytes, options. The obsolete block
 * has u16 interface, u16 drops in front, and the rest as this one.
 */
function packet(source: CaptureSource, block: Block, section: Section): CapturedFrame {
  const { littleEndian } = section;
  const body = bodyFields(source, block, PACKET_FIELDS);
  const index = block.type === PACKET ? body.getUint16(0, littleEndian) : body.getUint32(0, littleEndian);
  // The upper half comes first, whatever the byte order.
  const time = (BigInt(body.getUint32(4, littleEndian)) << 32n) | BigInt(body.getUint32(8, littleEndian));
  const captured = body.getUint32(12, littleEndian);
  const original = body.getUint32(16, littleEndian);
  return frame(source, block, section, { index, time, dataAt: PACKET_FIELDS, captured, original });
}

/** Body: u32 original length, bytes: as many as the first interface's snap length allows. */
function simplePacket(source: CaptureSource, block: Block, section: Section): CapturedFrame {
  const original = bodyFields(source, block, 4).getUint32(0, section.littleEndian);
  const snapLength = section.interfaces[0]?.snapLength || Number.POSITIVE_INFINITY;
  const captured = Math.min(original, snapLength);
  return frame(source, block, section, { index: 0, time: undefined, dataAt: 4, captured, original });
}

function frame(
  source: CaptureSource,
  block: Block,
  section: Section,
  { index, time, dataAt, captured, original }: PacketFields,
): CapturedFrame {
  const { what, offset } = block;
  const from = section.interfaces[index];
  if (from === undefined) {
    const text = `${what} names interface ${index}, its section has described ${section.interfaces.length} so far`;
    throw new CaptureError("CAPTURE_INVALID", offset, text);
  }
  checkLinkType(
    from.linkType,
    from.offset,
    `interface ${section.before + index}, described at offset ${from.offset}, has`,
  );
  checkLengths(what, offset, captured, original, block.length - dataAt);
  const bytes = piece(source, block.body + dataAt, captured, what);
  const timestamp = time === undefined ? undefined : from.nanoseconds(time);
  return { bytes, timestamp, interface: section.before + index, originalLength: original, offset };
}

function bodyFields(source: CaptureSource, block: Block, length: number): DataView {
  const { what, offset, body } = block;
  if (block.length >= length) return fields(source, body, length, what);
  const text = `${what} has a body of ${block.length} bytes, its type needs ${length}`;
  throw new CaptureError("CAPTURE_INVALID", offset, text);
}
