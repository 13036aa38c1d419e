/** The interface description block of pcapng: link type, snap length, and in its options what a timestamp counts. */
import { CaptureError } from "./capture-error";
import { type CaptureSource, fields } from "./source";

/** An interface that frames were captured on. */
export interface CaptureInterface {
  readonly linkType: number;
  /** Most bytes captured of a frame; 0 for all. */
  readonly snapLength: number;
  /** Bytes from the start of the file to its block. */
  readonly offset: number;
  /** What a timestamp of this interface is in nanoseconds since 1970, rounded down. */
  nanoseconds(timestamp: bigint): bigint;
}

/** Body: u16 link type, u16 reserved, u32 snap length, options. */
const FIXED_BYTES = 8;
/** An option: u16 code, u16 length, value, padding to a multiple of 4. */
const OPTION_HEADER = 4;
const OPT_ENDOFOPT = 0;
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;
const BILLION = 1_000_000_000n;

/**
 * Reads the body of an interface description block.
 *
 * @param offset of the block in the file
 * @param body where its body begins
 * @param length bytes of the body
 * @throws CaptureError
 */
export function readInterface(
  source: CaptureSource,
  offset: number,
  body: number,
  length: number,
  littleEndian: boolean,
): CaptureInterface {
  const what = `the interface description at offset ${offset}`;
  if (length < FIXED_BYTES) {
    const text = `${what} has a body of ${length} bytes, it needs ${FIXED_BYTES}`;
    throw new CaptureError("CAPTURE_INVALID", offset, text);
  }
  const fixed = fields(source, body, FIXED_BYTES, what);
  const linkType = fixed.getUint16(0, littleEndian);
  const snapLength = fixed.getUint32(4, littleEndian);
  let unitsPerSecond = 1_000_000n;
  let offsetSeconds = 0n;
  for (const { code, value } of options(source, body + FIXED_BYTES, body + length, littleEndian)) {
    if (code === IF_TSRESOL && value.byteLength === 1) unitsPerSecond = resolution(value.getUint8(0));
    if (code === IF_TSOFFSET && value.byteLength === 8) offsetSeconds = value.getBigInt64(0, littleEndian);
  }
  const nanoseconds = (timestamp: bigint) => (timestamp * BILLION) / unitsPerSecond + offsetSeconds * BILLION;
  return { linkType, snapLength, offset, nanoseconds };
}

/** Units in a second: a power of ten, or with the top bit set of two. */
function resolution(value: number): bigint {
  return (value & 0x80) === 0 ? 10n ** BigInt(value) : 2n ** BigInt(value & 0x7f);
}

/** The options up to the end mark or the end of the block. A value is valid until the next one. */
function* options(
  source: CaptureSource,
  from: number,
  end: number,
  littleEndian: boolean,
): Generator<{ code: number; value: DataView }, void> {
  for (let at = from; at < end; ) {
    const what = `the option at offset ${at}`;
    const left = end - at - OPTION_HEADER;
    const header = left < 0 ? undefined : fields(source, at, OPTION_HEADER, what);
    const code = header?.getUint16(0, littleEndian) ?? 0;
    const length = header?.getUint16(2, littleEndian) ?? 0;
    if (length > left) {
      const text = `${what} says ${length} bytes, its block has ${Math.max(0, left)} left`;
      throw new CaptureError("CAPTURE_INVALID", at, text);
    }
    if (code === OPT_ENDOFOPT) return;
    yield { code, value: fields(source, at + OPTION_HEADER, length, what) };
    at += OPTION_HEADER + Math.ceil(length / 4) * 4;
  }
}
