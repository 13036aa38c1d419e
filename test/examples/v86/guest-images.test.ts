/** What is no kernel, BIOS or initrd is refused before v86 gets it, with what was expected and what was found. */
import { describe, expect, it } from "vitest";
import { checkImage, GuestImageError, IMAGES, type ImageName } from "../../../examples/v86/guest-images";

const ascii = (text: string) => new TextEncoder().encode(text);

/** A kernel as its header has it. */
function kernel(change: { magic?: string; version?: number; xloadflags?: number } = {}): Uint8Array {
  const { magic = "HdrS", version = 0x020f, xloadflags = 4 } = change;
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setUint16(0x1fe, 0xaa55, true);
  bytes.set(ascii(magic), 0x202);
  view.setUint16(0x206, version, true);
  view.setUint16(0x236, xloadflags, true);
  return bytes;
}

function bios(size: number, first = 0xea): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes[size - 16] = first;
  return bytes;
}

function rom(size: number, units: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set([0x55, 0xaa, units]);
  return bytes;
}

/** What the check says, or undefined. */
function refusal(name: ImageName, bytes: Uint8Array): GuestImageError | undefined {
  try {
    checkImage(name, bytes);
  } catch (error) {
    if (error instanceof GuestImageError) return error;
    throw error;
  }
  return undefined;
}

describe("what fits", () => {
  it.each<[string, ImageName, Uint8Array]>([
    ["a bzImage for i386", "kernel", kernel()],
    [
      "one of an old protocol, whose xloadflags are none",
      "kernel",
      kernel({ version: 0x0202, xloadflags: 1 }),
    ],
    ["a BIOS of 64 KiB", "bios", bios(0x10000)],
    ["a BIOS of 128 KiB", "bios", bios(0x20000)],
    ["a VGA BIOS", "vgaBios", rom(39_936, 78)],
    ["a cpio archive", "initrd", ascii(`070701${"0".repeat(104)}`)],
    ["a compressed one", "initrd", Uint8Array.of(0x1f, 0x8b, 8, 0)],
    ["one in a larger buffer", "kernel", new Uint8Array([0, ...kernel()]).subarray(1)],
  ])("%s", (_, name, bytes) => {
    expect(refusal(name, bytes)).toBeUndefined();
  });
});

describe("what doesn't", () => {
  it.each<[string, ImageName, Uint8Array, found: string]>([
    ["a web page for a kernel", "kernel", ascii("<!doctype html><title>"), "a web page of 22 bytes"],
    ["vmlinux for a kernel", "kernel", ascii(`\x7fELF${" ".repeat(996)}`), "an ELF file of 1000 bytes"],
    ["nothing for a kernel", "kernel", new Uint8Array(0), "an empty file"],
    [
      "a pointer for a kernel",
      "kernel",
      ascii("version https://git-lfs.github.com/spec/v1\n"),
      "a Git LFS pointer of 43 bytes",
    ],
    [
      "another magic",
      "kernel",
      kernel({ magic: "HdrT" }),
      "4096 bytes, beginning with 00 00 00 00 00 00 00 00",
    ],
    [
      "a header that ends too soon",
      "kernel",
      kernel().subarray(0, 0x237),
      "567 bytes, beginning with 00 00 00 00 00 00 00 00",
    ],
    ["a boot protocol that is too old", "kernel", kernel({ version: 0x0201 }), "boot protocol 2.01"],
    [
      "a kernel for x86-64",
      "kernel",
      kernel({ xloadflags: 0x7f }),
      "a kernel for x86-64, which v86 can't run",
    ],
    ["a BIOS of 256 KiB", "bios", bios(0x40000), "262144 bytes, beginning with 00 00 00 00 00 00 00 00"],
    [
      "a BIOS without a reset vector",
      "bios",
      bios(0x20000, 0xff),
      "0xff there, in 131072 bytes, beginning with 00 00 00 00 00 00 00 00",
    ],
    [
      "a BIOS for a VGA BIOS",
      "vgaBios",
      bios(0x20000),
      "131072 bytes, beginning with 00 00 00 00 00 00 00 00",
    ],
    ["a VGA BIOS that was cut off", "vgaBios", rom(39_935, 78), "39935 bytes of a ROM of 39936"],
    ["a kernel for an initrd", "initrd", ascii("MZ and so on"), "an EFI program of 12 bytes"],
  ])("%s", (_, name, bytes, found) => {
    const error = refusal(name, bytes);
    expect(error).toMatchObject({ name: "GuestImageError", file: IMAGES[name].file, found });
    expect(error?.message).toBe(`${error?.file}: expected ${error?.expected}, found ${found}`);
  });
});
