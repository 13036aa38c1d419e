/**
 * The coverage table: operation × layout × feature set × condition, with counts. A condition holds for an operation when the
 * half that it acts on was in it before, or came into it.
 *
 * index wrap: an index went from 65535 to 0, or the window of what is in flight lies across it (split alone has such indices).
 * ring wrap:  the same at the end of the ring. full: no descriptor free, or the device holds a whole ring.
 * empty:      nothing in flight. error: the answer is an error, or the half is broken.
 */
import type { DeviceState, DriverState } from "../model/ring";
import { OPERATION_NAMES, type OperationName } from "./operations";
import { FEATURE_SETS, featureSetName } from "./setups";

export const CONDITIONS = ["any", "index wrap", "ring wrap", "full", "empty", "error"] as const;
export type Condition = (typeof CONDITIONS)[number];

const LAYOUTS = ["split", "packed"] as const;

/** A split index is free-running modulo 2^16; bit 15 of a packed position is its wrap counter. */
const INDEX_LAP = 65536;
const PACKED_LAP = 32768;

/** What an operation did, as the table sees it. */
export interface Occurrence {
  readonly layout: "split" | "packed";
  readonly size: number;
  readonly featureSet: number;
  readonly operation: OperationName;
  readonly before: DriverState | DeviceState;
  readonly after: DriverState | DeviceState;
  /** The answer was an error, or "no room". */
  readonly failed: boolean;
  readonly full: boolean;
}

/** One cell, for a report. */
export interface Cell {
  readonly operation: OperationName;
  readonly layout: "split" | "packed";
  readonly features: string;
  readonly condition: Condition;
  readonly count: number;
}

export class Coverage {
  readonly #counts = new Float64Array(
    LAYOUTS.length * FEATURE_SETS.length * OPERATION_NAMES.length * CONDITIONS.length,
  );

  record(occurrence: Occurrence): void {
    const { layout, featureSet, operation, size, before, after } = occurrence;
    const at = this.#row(LAYOUTS.indexOf(layout), featureSet, OPERATION_NAMES.indexOf(operation));
    this.#add(at, true);
    const ringLap = layout === "split" ? size : PACKED_LAP;
    this.#add(at + 1, layout === "split" && (straddles(before, INDEX_LAP) || straddles(after, INDEX_LAP)));
    this.#add(at + 2, straddles(before, ringLap) || straddles(after, ringLap));
    this.#add(at + 3, occurrence.full || isFull(before, layout, size));
    this.#add(at + 4, before.inFlight === 0);
    this.#add(at + 5, occurrence.failed || before.error !== undefined);
  }

  #row(layout: number, featureSet: number, operation: number): number {
    return (
      ((layout * FEATURE_SETS.length + featureSet) * OPERATION_NAMES.length + operation) * CONDITIONS.length
    );
  }

  #add(index: number, holds: boolean): void {
    if (holds) {
      this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    }
  }

  /** All cells, by operation. */
  cells(): Cell[] {
    return OPERATION_NAMES.flatMap((operation, o) =>
      LAYOUTS.flatMap((layout, l) =>
        FEATURE_SETS.flatMap((set, f) =>
          CONDITIONS.map((condition, c) => ({
            operation,
            layout,
            features: featureSetName(set),
            condition,
            count: this.#counts[this.#row(l, f, o) + c] ?? 0,
          })),
        ),
      ),
    );
  }

  /** The reachable cells that were met fewer than `least` times. */
  thin(least: number): Cell[] {
    return this.cells().filter((cell) => cell.count < least && whyEmpty(cell) === undefined);
  }

  /** The table, one line for an operation in a layout: in each condition the count of the feature set that met it least. */
  toText(): string {
    const header = `${"operation".padEnd(16)}${"layout".padEnd(8)}${CONDITIONS.map((c) => c.padStart(12)).join("")}`;
    const cells = this.cells();
    const lines = OPERATION_NAMES.flatMap((operation) =>
      LAYOUTS.map((layout) => {
        const figures = CONDITIONS.map((condition) => {
          const row = cells.filter(
            (cell) => cell.operation === operation && cell.layout === layout && cell.condition === condition,
          );
          const isReachable = row.every((cell) => whyEmpty(cell) === undefined);
          return (isReachable ? String(Math.min(...row.map(({ count }) => count))) : "-").padStart(12);
        });
        return `${operation.padEnd(16)}${layout.padEnd(8)}${figures.join("")}`;
      }),
    );
    return [
      header,
      ...lines,
      "-: packed has no free-running index; its wrap counters are under ring wrap",
    ].join("\n");
  }
}

/** Why a cell can't be met, or undefined. */
export function whyEmpty({ layout, condition }: Pick<Cell, "layout" | "condition">): string | undefined {
  return layout === "packed" && condition === "index wrap"
    ? "a packed ring has no free-running index: its wrap counters flip at the end of the ring"
    : undefined;
}

/** How seldom a queue comes where it is. */
export type Rarity = "usual" | "edge" | "rare";

/** Edge: nothing or everything is in flight. Rare: a half is broken, the device is full, or an index wraps in what is in flight. */
export function rarityOf(
  driver: DriverState,
  device: DeviceState,
  { layout, size }: { layout: "split" | "packed"; size: number },
): Rarity {
  const isBroken = driver.error !== undefined || device.error !== undefined;
  const isWrapping = layout === "split" && (straddles(driver, INDEX_LAP) || straddles(device, INDEX_LAP));
  if (isBroken || isWrapping || (isFull(device, layout, size) && size > 1)) {
    return "rare";
  }
  return driver.inFlight === 0 || isFull(driver, layout, size) ? "edge" : "usual";
}

/** Does a multiple of `lap` lie between `used` and `available`? Whatever moves an index across one leaves it so or finds it so. */
function straddles({ used, available }: DriverState | DeviceState, lap: number): boolean {
  return lap === INDEX_LAP ? used > available : Math.floor(used / lap) !== Math.floor(available / lap);
}

function isFull(state: DriverState | DeviceState, layout: "split" | "packed", size: number): boolean {
  if ("free" in state) {
    return state.free === 0;
  }
  const { available, used } = state;
  return layout === "split" ? ((available - used) & 0xffff) === size : (available ^ used) === 0x8000;
}
