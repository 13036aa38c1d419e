/**
 * The queues that property programs run on: layout and features in turn, everything else drawn with a bias to boundaries
 * (sizes 1, 2, 3, n-1, n, n+1, 32768; indices near 65,530; either wrap counter; addresses around 2^32; up to 8 regions).
 */
import { areaShapes } from "../model/areas";
import type {
  GuestRegion,
  RingAreas,
  RingFeatures,
  RingOptions,
  RingPolicies,
  RingStart,
} from "../model/ring";
import type { Random } from "./random";

/** All feature sets of the coverage table. */
export const FEATURE_SETS: readonly Required<RingFeatures>[] = Array.from({ length: 16 }, (_, bits) => ({
  indirect: (bits & 1) !== 0,
  eventIdx: (bits & 2) !== 0,
  inOrder: (bits & 4) !== 0,
  notificationData: (bits & 8) !== 0,
}));

/** Short name of a feature set. */
export function featureSetName({ indirect, eventIdx, inOrder, notificationData }: RingFeatures): string {
  const names = [
    indirect && "INDIRECT_DESC",
    eventIdx && "EVENT_IDX",
    inOrder && "IN_ORDER",
    notificationData && "NOTIFICATION_DATA",
  ].filter((name) => name);
  return names.join("+") || "none";
}

/** A queue without memory: what both twins are built from. */
export interface Setup extends Omit<RingOptions, "memory"> {
  readonly featureSet: number;
  readonly features: Required<RingFeatures>;
  readonly options: RingPolicies;
  readonly start: RingStart;
  readonly index: number;
  /** Bytes of memory that the regions lie in. */
  readonly memoryBytes: number;
  /** Where the rings and the slab of tables lie in the memory: all that the halves may write. */
  readonly rings: { readonly offset: number; readonly bytes: number };
  /** The three areas and the slab, as offsets in the memory. */
  readonly offsets: RingAreas;
}

const KIB = 1024;

/** Memory layouts; always the same objects, so that an implementation can keep what it built for one. The rings lie in the first region. */
export const SMALL_MEMORIES: readonly { bytes: number; regions: readonly GuestRegion[] }[] = [
  { bytes: 64 * KIB, regions: [{ gpa: 0, base: 0, size: 64 * KIB }] },
  { bytes: 64 * KIB, regions: [{ gpa: 2 ** 32 - 32 * KIB, base: 16, size: 64 * KIB - 16 }] },
  {
    bytes: 64 * KIB,
    regions: [
      { gpa: 0x10_0000_0000, base: 0, size: 48 * KIB },
      { gpa: 0x1000, base: 48 * KIB, size: 8 * KIB },
      { gpa: 0x4000, base: 56 * KIB, size: 4 * KIB, readOnly: true },
    ],
  },
  {
    bytes: 64 * KIB,
    regions: [
      { gpa: 0x2_0000, base: 16 * KIB, size: 48 * KIB },
      ...Array.from({ length: 7 }, (_, i) => ({
        gpa: 0x10_0000 * (7 - i),
        base: 2 * KIB * i,
        size: 2 * KIB - 16 * i,
        readOnly: i % 3 === 2,
      })),
    ],
  },
];

export const BIG_MEMORY = { bytes: 4096 * KIB, regions: [{ gpa: 0x8000_0000, base: 0, size: 4096 * KIB }] };

/** Sizes whose rings and tables fit a small memory. */
const SPLIT_SIZES = [1, 1, 2, 2, 4, 4, 8, 8, 8, 16, 32, 64, 128, 256];
const PACKED_SIZES = [1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 8, 9, 13, 15, 16, 17, 31, 32, 33, 64, 65, 255, 256, 257];
const BIG_SPLIT_SIZES = [512, 1024, 2048, 32768];
const BIG_PACKED_SIZES = [1000, 1023, 1025, 32767, 32768];

/** The queue of the program with this number. */
export function makeSetup(random: Random, program: number): Setup {
  const featureSet = program % FEATURE_SETS.length;
  const features = FEATURE_SETS[featureSet] ?? random.pick(FEATURE_SETS);
  const layout = Math.floor(program / FEATURE_SETS.length) % 2 === 0 ? "split" : "packed";
  const isBig = random.oneIn(400);
  const memory = isBig ? BIG_MEMORY : random.pick(SMALL_MEMORIES);
  const size = random.pick(
    isBig
      ? layout === "split"
        ? BIG_SPLIT_SIZES
        : BIG_PACKED_SIZES
      : layout === "split"
        ? SPLIT_SIZES
        : PACKED_SIZES,
  );
  const [region = BIG_MEMORY.regions[0]] = memory.regions;
  const entries = isBig ? 4 : size > 64 ? 8 : random.between(Math.min(2, size), Math.min(size + 1, 16));
  const { offsets, rings } = place(random, layout, size, entries, features.indirect, region?.base ?? 0);
  const toGuest = (offset: number) => offset - (region?.base ?? 0) + (region?.gpa ?? 0);
  return {
    layout,
    size,
    featureSet,
    features,
    regions: memory.regions,
    memoryBytes: memory.bytes,
    rings,
    offsets,
    areas: {
      descriptor: toGuest(offsets.descriptor),
      driver: toGuest(offsets.driver),
      device: toGuest(offsets.device),
      ...(offsets.tables && { tables: { address: toGuest(offsets.tables.address), entries } }),
    },
    options: {
      strictRing: random.oneIn(4),
      recover: random.oneIn(4),
      clampUsedLength: random.oneIn(4),
      lengthWithoutWrite: random.oneIn(8),
    },
    start: makeStart(random, layout, size),
    index: random.oneIn(2) ? 0 : random.pick([1, 63, 0xffff]),
  };
}

/** Areas one behind the other, each with the least alignment that §2.7 and §2.8 ask for, from somewhere in the first region. */
function place(
  random: Random,
  layout: "split" | "packed",
  size: number,
  entries: number,
  withTables: boolean,
  base: number,
): { offsets: RingAreas; rings: { offset: number; bytes: number } } {
  const shapes = areaShapes(layout, size);
  const first = base + 16 * random.below(8);
  const driver = first + shapes.descriptor.bytes + shapes.driver.align * random.below(3);
  const afterDriver = driver + shapes.driver.bytes + 4 * random.below(3);
  const device = afterDriver + ((4 - (afterDriver % 4)) % 4);
  const address = device + shapes.device.bytes + random.below(4); // a table may lie anywhere (§2.7.5.3)
  const end = withTables ? address + size * entries * 16 : device + shapes.device.bytes;
  return {
    offsets: { descriptor: first, driver, device, ...(withTables && { tables: { address, entries } }) },
    rings: { offset: first, bytes: end - first },
  };
}

function makeStart(random: Random, layout: "split" | "packed", size: number): RingStart {
  if (layout === "split") {
    const near = 65536 - random.between(1, Math.min(size, 8));
    return { idx: random.pick([0, near, near, near, near, 65530, 65535, random.below(65536)]) };
  }
  const slot = random.pick([0, size - 1, Math.max(0, size - 2), random.below(size)]);
  return { slot, wrap: random.oneIn(2) ? 1 : 0 };
}
