// Guest address → linear address, with bounds, and the ordered accessors of words that both sides share.
// The only pointer arithmetic on guest addresses. Guest RAM is up to 8 regions; what none covers is not RAM.
//
// core +0  u32 regionCount
//      +16 regionCount × { u64 gpa, u64 size, u32 base, u32 readOnly, 8 bytes unused }
import {
  CORE_REGION_COUNT,
  CORE_REGIONS,
  REGION_BASE,
  REGION_BYTES,
  REGION_GPA,
  REGION_READ_ONLY,
  REGION_SIZE,
} from "./abi";

/** What `translate` gives for bytes that are not wholly inside one region. */
export const NOT_IN_GUEST: u64 = 0xffffffffffffffff;


@inline
function regionTranslate(region: usize, gpa: u64, length: u64, write: bool): u64 {
  const size = load<u64>(region, REGION_SIZE);
  const offset = gpa - load<u64>(region, REGION_GPA); // wraps to a huge value below the region
  if (!within(offset, length, size)) return NOT_IN_GUEST;
  if (write && load<u32>(region, REGION_READ_ONLY)) return NOT_IN_GUEST;
  return <u64>load<u32>(region, REGION_BASE) + offset;
}

/** Linear address of `length` bytes at guest address `gpa`, or NOT_IN_GUEST. No buffer spans two regions. */
@inline
export function translate(core: usize, gpa: u64, length: u64, write: bool): u64 {
  const linear = regionTranslate(core + CORE_REGIONS, gpa, length, write);
  return linear != NOT_IN_GUEST ? linear : translateElsewhere(core, gpa, length, write);
}

function translateElsewhere(core: usize, gpa: u64, length: u64, write: bool): u64 {
  const count = load<u32>(core, CORE_REGION_COUNT);
  for (let i: u32 = 1; i < count; i++) {
    const linear = regionTranslate(core + CORE_REGIONS + i * REGION_BYTES, gpa, length, write);
    if (linear != NOT_IN_GUEST) return linear;
  }
  return NOT_IN_GUEST;
}

// The first region, whose numbers a hot loop keeps in locals. Most guests have no other.

@inline
export function firstGpa(core: usize): u64 {
  return load<u64>(core + CORE_REGIONS, REGION_GPA);
}


@inline
export function firstSize(core: usize): u64 {
  return load<u64>(core + CORE_REGIONS, REGION_SIZE);
}


@inline
export function firstBase(core: usize): u64 {
  return load<u32>(core + CORE_REGIONS, REGION_BASE);
}

// The same in four lanes, for a region that ends below 4 GiB.

@inline
export function firstGpaLanes(core: usize): v128 {
  return v128.load_splat<u32>(core + CORE_REGIONS, REGION_GPA);
}


@inline
export function firstSizeLanes(core: usize): v128 {
  return v128.load_splat<u32>(core + CORE_REGIONS, REGION_SIZE);
}


@inline
export function firstIsReadOnly(core: usize): bool {
  return load<u32>(core + CORE_REGIONS, REGION_READ_ONLY) != 0;
}

/** Whether [offset, +length) lies inside a region of `size` bytes; an address below it gave a huge offset. */
@inline
export function within(offset: u64, length: u64, size: u64): bool {
  return max(offset, offset + length) <= size;
}

/** True when `gpa + length` reaches or passes 2^64. */
@inline
export function wrapsAround(gpa: u64, length: u64): bool {
  return gpa + length < gpa;
}

// The words through which the two sides meet: plain in `release`, sequentially consistent in `shared`.
// The one place where the two builds differ.

@inline
export function load16Ordered(address: usize): u32 {
  if (ASC_FEATURE_THREADS) return <u32>atomic.load<u16>(address);
  return <u32>load<u16>(address);
}


@inline
export function store16Ordered(address: usize, value: u32): void {
  if (ASC_FEATURE_THREADS) atomic.store<u16>(address, <u16>value);
  else store<u16>(address, <u16>value);
}


@inline
export function load32Ordered(address: usize): u32 {
  if (ASC_FEATURE_THREADS) return atomic.load<u32>(address);
  return load<u32>(address);
}

/** Eight bytes of which the last two are an ordered word, and come first. */
@inline
export function loadTailOrdered(address: usize): u64 {
  if (!ASC_FEATURE_THREADS) return load<u64>(address);
  // An atomic load of all eight bytes would be no partner of the two-byte store on the other side.
  const last = <u64>atomic.load<u16>(address + 6);
  return (load<u64>(address) & 0xffffffffffff) | (last << 48);
}


@inline
export function store32Ordered(address: usize, value: u32): void {
  if (ASC_FEATURE_THREADS) atomic.store<u32>(address, value);
  else store<u32>(address, value);
}

/** Copies payload between two linear ranges that were both checked. */
@inline
export function copyBytes(target: usize, source: usize, length: u32): void {
  memory.copy(target, source, length);
}
