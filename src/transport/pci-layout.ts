/**
 * Where PciTransport puts its structures unless the user says otherwise: the legacy window in BAR 0, MSI-X in BAR 1,
 * shared memory in BAR 2 and 3, the structures of §4.1.4 in BAR 4.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";
import { VIRTIO_F_NOTIFICATION_DATA } from "../spec/features";
import type { PlacedStructure } from "./pci-bar-space";
import { inARow, type PciPlace, type PciRegion } from "./pci-bars";
import type { PciMsix } from "./pci-msix";
import type { PciStructure } from "./pci-structure";
import { regionsById, type SharedMemoryRegion } from "./shared-memory";

/** The structures of §4.1.4 that a driver finds by their capabilities, in the order of those. */
export type PciStructureName = "common" | "notify" | "isr" | "device";

/** Where the structures of §4.1.4 are to be. */
export interface PciLayoutOptions {
  /** What kind of BAR they lie in. Default "memory"; "io" for hosts whose BARs are ports. */
  readonly kind?: "memory" | "io";
  /** The BAR for all that `places` doesn't name. Default 4. */
  readonly bar?: number;
  /** Other places. By default they lie one behind the other: a page each, or in ports 4 bytes apart at least. */
  readonly places?: Readonly<Partial<Record<PciStructureName, PciPlace>>>;
}

const LEGACY_BAR = 0;
const MSIX_BAR = 1;
const SHARED_MEMORY_BAR = 2;
const MODERN_BAR = 4;
const PAGE = 4096;

/** The structures of §4.1.4 in their places. */
export function placeStructures(
  device: VirtioDevice,
  structures: ReadonlyMap<PciStructureName, PciStructure>,
  { kind = "memory", bar = MODERN_BAR, places = {} }: PciLayoutOptions = {},
): ReadonlyMap<PciStructureName, PlacedStructure> {
  const notifyAlign = device.offered.has(VIRTIO_F_NOTIFICATION_DATA) ? 4 : 2;
  const aligns: Record<PciStructureName, number> = { common: 4, notify: notifyAlign, isr: 1, device: 4 };
  const free = [...structures].filter(([name]) => places[name] === undefined);
  const lengths = new Map(free.map(([name, { length }]) => [name, length]));
  const row = inARow(lengths, bar, kind === "memory" ? PAGE : 4);
  return new Map(
    [...structures].map(([key, structure]) => {
      const { name, length } = structure;
      const place = places[key] ?? row.get(key) ?? { bar, offset: 0 };
      const { bar: inBar, offset } = place;
      const region: PciRegion = { name, length, kind, align: aligns[key], bar: inBar, offset };
      return [key, { structure, region }];
    }),
  );
}

/** The legacy window (§4.1.4.10). */
export function placeLegacyWindow(structure: PciStructure): PlacedStructure {
  const { name, length } = structure;
  return { structure, region: { name, length, kind: "io", align: 1, bar: LEGACY_BAR, offset: 0 } };
}

/** The table and the pending bits of MSI-X, in pages of their own. */
export function placeMsix(
  device: VirtioDevice,
  msix: PciMsix,
): { table: PlacedStructure; pba: PlacedStructure } {
  const structures = { table: msix.table(device), pba: msix.pendingBits(device) };
  const { table, pba } = structures;
  const behind = PAGE * Math.ceil(table.length / PAGE);
  const region = ({ name, length }: PciStructure, offset: number): PciRegion => {
    return { name, length, kind: "memory", align: 8, bar: MSIX_BAR, offset };
  };
  return {
    table: { structure: table, region: region(table, 0) },
    pba: { structure: pba, region: region(pba, behind) },
  };
}

/**
 * Shared memory, by id (§4.1.4.7). Nothing of ours lies there.
 *
 * @throws VirtioError BAD_ARGUMENT for an id twice, or a number out of range
 */
export function placeSharedMemory(regions: readonly SharedMemoryRegion[]): ReadonlyMap<number, PciRegion> {
  return new Map(
    [...regionsById(regions)].map(([id, { base, length }]) => {
      const name = `shared memory ${id}`;
      if (length === 0n || base + length > BigInt(Number.MAX_SAFE_INTEGER))
        throw new VirtioError("BAD_ARGUMENT", `${name}: ${length} bytes at ${base} can't lie in a BAR`, {
          section: "4.1.4.7",
        });
      const place = { bar: SHARED_MEMORY_BAR, offset: Number(base), length: Number(length) };
      return [id, { name, kind: "memory", align: 1, is64: true, ...place }];
    }),
  );
}
