/**
 * What the guest is made of, and whether a file is that. v86 takes any bytes for a kernel or a BIOS and then shows nothing,
 * so that a wrong file has to be found before: each error says what was expected and what was found.
 */

/** A file that can't be what it is taken for. */
export class GuestImageError extends Error {
  readonly file: string;
  readonly expected: string;
  readonly found: string;

  constructor(file: string, expected: string, found: string) {
    super(`${file}: expected ${expected}, found ${found}`);
    this.name = "GuestImageError";
    this.file = file;
    this.expected = expected;
    this.found = found;
  }
}

/** One file. */
export interface GuestImage {
  readonly file: string;
  /** For people. */
  readonly what: string;
  /** What is wrong with it, or undefined. */
  readonly misfit: (bytes: Uint8Array) => Misfit | undefined;
}

/** What a file should be, and what it is instead. */
export interface Misfit {
  readonly expected: string;
  readonly found: string;
}

const KIB = 1024;
/** x86 boot protocol: boot_flag, header, version, and xloadflags with its lowest bit. */
const BOOT_FLAG = { at: 0x1fe, value: 0xaa55 };
const HEADER = { at: 0x202, value: "HdrS" };
const VERSION = { at: 0x206, least: 0x0202, withXloadflags: 0x020c };
const XLOADFLAGS = { at: 0x236, is64: 1 };
/** The real mode's first megabyte ends with the BIOS, above what option ROMs have. */
const BIOS_SIZES = [64 * KIB, 128 * KIB];
const FAR_JUMP = 0xea;
const RESET_VECTOR = 16;
const ROM_MAGIC = 0xaa55;
const ROM_UNIT = 512;
const ROM_MOST = 128 * KIB;

/** All files by what they are to v86. */
export const IMAGES = {
  bios: { file: "bios.bin", what: "SeaBIOS", misfit: biosMisfit },
  vgaBios: { file: "vgabios.bin", what: "VGA BIOS", misfit: vgaBiosMisfit },
  kernel: { file: "kernel.bzimage", what: "Debian’s kernel", misfit: kernelMisfit },
  initrd: { file: "initrd.cpio", what: "busybox and modules", misfit: initrdMisfit },
} as const satisfies Record<string, GuestImage>;

/** Which file. */
export type ImageName = keyof typeof IMAGES;

/** @throws GuestImageError */
export function checkImage(name: ImageName, bytes: Uint8Array): void {
  const { file, misfit } = IMAGES[name];
  const wrong = misfit(bytes);
  if (wrong !== undefined) throw new GuestImageError(file, wrong.expected, wrong.found);
}

function kernelMisfit(bytes: Uint8Array): Misfit | undefined {
  const expected = `a bzImage: "HdrS" at 0x202, boot protocol 2.02 or later, for i386`;
  const view = viewOf(bytes);
  const isBoot = bytes.length > XLOADFLAGS.at + 1 && view.getUint16(BOOT_FLAG.at, true) === BOOT_FLAG.value;
  if (!isBoot || text(bytes, HEADER.at, HEADER.value.length) !== HEADER.value) {
    return { expected, found: described(bytes) };
  }
  const version = view.getUint16(VERSION.at, true);
  if (version < VERSION.least) {
    return { expected, found: `boot protocol ${version >> 8}.${`${version & 0xff}`.padStart(2, "0")}` };
  }
  const is64 =
    version >= VERSION.withXloadflags && (view.getUint16(XLOADFLAGS.at, true) & XLOADFLAGS.is64) !== 0;
  return is64 ? { expected, found: "a kernel for x86-64, which v86 can't run" } : undefined;
}

function biosMisfit(bytes: Uint8Array): Misfit | undefined {
  const expected = "a BIOS of 65536 or 131072 bytes with a far jump (0xea) 16 bytes before its end";
  if (!BIOS_SIZES.includes(bytes.length)) return { expected, found: described(bytes) };
  const first = bytes[bytes.length - RESET_VECTOR] ?? 0;
  return first === FAR_JUMP
    ? undefined
    : { expected, found: `0x${hex(first)} there, in ${described(bytes)}` };
}

function vgaBiosMisfit(bytes: Uint8Array): Misfit | undefined {
  const expected = "an option ROM: 55 aa, then its length in units of 512 bytes, at most 131072 bytes";
  const isRom = bytes.length > 2 && viewOf(bytes).getUint16(0, true) === ROM_MAGIC;
  if (!isRom || bytes.length > ROM_MOST) return { expected, found: described(bytes) };
  const length = ROM_UNIT * (bytes[2] ?? 0);
  return length <= bytes.length
    ? undefined
    : { expected, found: `${bytes.length} bytes of a ROM of ${length}` };
}

function initrdMisfit(bytes: Uint8Array): Misfit | undefined {
  const expected = "a newc cpio archive (070701), as it is or by gzip (1f 8b)";
  const isArchive = text(bytes, 0, 6) === "070701" || (bytes[0] === 0x1f && bytes[1] === 0x8b);
  return isArchive ? undefined : { expected, found: described(bytes) };
}

/** What is often served or copied in the place of another file, by how it begins. */
const LOOKS = [
  { begins: ["<!doctype", "<html"], what: "a web page" },
  { begins: ["\x7felf"], what: "an ELF file" },
  { begins: ["070701"], what: "a cpio archive" },
  { begins: ["\x1f\x8b"], what: "a gzip file" },
  { begins: ["mz"], what: "an EFI program" },
  { begins: ["version https://git-lfs"], what: "a Git LFS pointer" },
];

function described(bytes: Uint8Array): string {
  const start = text(bytes, 0, 32).trimStart().toLowerCase();
  const look = LOOKS.find(({ begins }) => begins.some((begin) => start.startsWith(begin)));
  const first = [...bytes.subarray(0, 8)].map(hex).join(" ");
  if (look !== undefined) return `${look.what} of ${bytes.length} bytes`;
  return bytes.length === 0 ? "an empty file" : `${bytes.length} bytes, beginning with ${first}`;
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
