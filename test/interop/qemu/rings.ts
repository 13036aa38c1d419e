/** The rings that a QEMU can be met on: layout × EVENT_IDX × INDIRECT_DESC, and IN_ORDER where there is such a QEMU. */
import { hasInOrder, type Qemu } from "./binaries";

/** What is to be negotiated. */
export interface Ring {
  readonly layout: "split" | "packed";
  readonly eventIdx: boolean;
  readonly indirect: boolean;
  readonly inOrder: boolean;
}

const BOTH = [false, true] as const;

/** Every ring that this QEMU has. */
export function ringsOf(qemu: Qemu): Ring[] {
  return (["split", "packed"] as const).flatMap((layout) =>
    BOTH.flatMap((eventIdx) =>
      BOTH.flatMap((indirect) =>
        (hasInOrder(qemu) ? BOTH : [false]).map((inOrder) => ({ layout, eventIdx, indirect, inOrder })),
      ),
    ),
  );
}

/** What the driver accepts for a ring. */
export function featuresOf({ layout, eventIdx, indirect, inOrder }: Ring): string[] {
  return [
    "VERSION_1",
    ...(layout === "packed" ? ["RING_PACKED"] : []),
    ...(eventIdx ? ["EVENT_IDX"] : []),
    ...(indirect ? ["INDIRECT_DESC"] : []),
    ...(inOrder ? ["IN_ORDER"] : []),
  ];
}

/** What a `-device` needs to offer a ring: EVENT_IDX and INDIRECT_DESC are offered by default. */
export function propertiesOf({ layout, inOrder }: Ring): string {
  return `packed=${layout === "packed" ? "on" : "off"}${inOrder ? ",in_order=on" : ""}`;
}

/** For the name of a test. */
export function titleOf({ layout, eventIdx, indirect, inOrder }: Ring): string {
  const more = [eventIdx && "EVENT_IDX", indirect && "INDIRECT_DESC", inOrder && "IN_ORDER"];
  return [layout, ...more.filter(Boolean)].join(" + ");
}
