/**
 * How often each operation comes, in the phases of a program (fill, drain, starve…) and in the rare states where everything
 * is to be tried.
 */
import type { OperationName } from "./operations";

type Weights = Partial<Record<OperationName, number>>;

const NOTIFICATIONS: Weights = {
  "driver arm": 1,
  "driver disarm": 1,
  "has used": 1,
  "device arm": 1,
  "device disarm": 1,
  "has available": 1,
};

/** The operations of each phase, as often as they come against the others. Resets are drawn apart. */
export const PHASES: readonly (readonly OperationName[])[] = (
  [
    { add: 4, "driver publish": 3, take: 4, complete: 3, "device publish": 3, "take used": 3, undo: 1 },
    { add: 4, "driver publish": 3, take: 4, complete: 2, "device publish": 2, "take used": 2 },
    { add: 9, "driver publish": 4, take: 5, undo: 1 }, // fill
    { take: 3, complete: 6, "device publish": 3, "take used": 4, "driver publish": 1 }, // drain
    { take: 2, "take used": 2, complete: 1, undo: 1, "driver publish": 1, "device publish": 1 }, // starve
    { add: 3, "driver publish": 3, take: 3, undo: 3, complete: 2, "device publish": 1 },
  ] satisfies Weights[]
).flatMap((weights: Weights) => [repeat(weights, 2, 1), repeat(weights, 1, 1)]);

function repeat(weights: Weights, times: number, notifications: number): OperationName[] {
  return [
    ...Object.entries(weights).map(([name, weight]) => ({ name, times: weight * times })),
    ...Object.entries(NOTIFICATIONS).map(([name, weight]) => ({ name, times: weight * notifications })),
  ].flatMap(({ name, times }) => Array.from({ length: times }, () => name as OperationName));
}

/** What looks and moves nothing, or hardly. */
export const PROBES = [...Object.keys(NOTIFICATIONS), "driver publish", "device publish"] as OperationName[];

/** What moves; most often what ends the state in which it is wanted. */
export const MOVES: readonly OperationName[] = [
  "add",
  "take used",
  "complete",
  ...repeat({ "driver publish": 2, take: 3, undo: 3, "device publish": 3 }, 1, 0),
  ...repeat({ "driver reset": 2, "device reset": 2 }, 1, 0),
];
