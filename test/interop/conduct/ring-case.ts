/**
 * A probe of one chain in either layout (§2.7, §2.8), on a live device: a console's transmit queue, which has no format of
 * its own that could be wrong.
 */
import type { Probe } from "./probe";
import type { ProbeRing } from "./probe-ring";

/** What differs between the layouts. */
type InLayout = Pick<Probe, "rule" | "notAsked" | "differs">;

/** A chain, and the layouts that have it. */
export interface RingCase {
  readonly does: string;
  readonly split?: InLayout;
  readonly packed?: InLayout;
  /** Features beside VERSION_1 and the layout's. */
  readonly more?: readonly string[];
  fill(ring: ProbeRing): void;
}

/** A guest address at which nobody has memory. */
export const NO_RAM = 1n << 40n;

/** Every case in every layout that has it. */
export function ringProbes(cases: readonly RingCase[]): Probe[] {
  return cases.flatMap(({ does, more = [], fill, ...layouts }) =>
    (["split", "packed"] as const).flatMap((layout): Probe[] => {
      const inLayout = layouts[layout];
      if (inLayout === undefined) return [];
      return [
        {
          does: `${layout}: ${does}`,
          device: "console",
          ...inLayout,
          run: (driver) => {
            const ring = driver.live(layout, { more });
            fill(ring);
            driver.notify();
            return driver.outcome(ring);
          },
        },
      ];
    }),
  );
}
