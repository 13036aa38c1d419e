/**
 * What a reader is told about runs, side by side: a label and one cell for each run. How it is drawn is table.ts for
 * any program and src/cli/table.ts for the command line.
 */
import type { NotificationCount, SimReport } from "../sim/metrics";

/** One line of the comparison. */
export interface Row {
  readonly label: string;
  /** One a run, in the order of the runs. */
  readonly cells: readonly string[];
}

/** The name of a run: its layout, and IN_ORDER when that changes what the ring does. */
export function runTitle(report: SimReport): string {
  if (report.layout === null) return "refused";
  return report.negotiated.includes("IN_ORDER") ? `${report.layout} + IN_ORDER` : report.layout;
}

/** The comparison, without titles and reasons. A line that says nothing about any of the runs is left out. */
export function summaryRows(reports: readonly SimReport[]): Row[] {
  const first = reports.find(({ nsPerChain }) => nsPerChain !== null);
  const row = (label: string, cell: (report: SimReport) => string): Row => ({
    label,
    cells: reports.map(cell),
  });
  const rows = [
    row("queue size", ({ queueSize, indirect }) => count(queueSize) + (indirect ? ", indirect" : "")),
    row("chains", ({ chains }) => count(chains)),
    row("descriptors", ({ descriptors }) => count(descriptors)),
    row("bytes to device", ({ bytes }) => count(bytes.toDevice)),
    row("bytes from device", ({ bytes }) => count(bytes.fromDevice)),
    row("available sent", ({ notifications }) => count(notifications.available.sent)),
    row("  suppressed", ({ notifications }) => suppressed(notifications.available)),
    row("used sent", ({ notifications }) => count(notifications.used.sent)),
    row("  suppressed", ({ notifications }) => suppressed(notifications.used)),
    row("ns/chain, rings", ({ nsPerChain }) => (nsPerChain ? decimal(nsPerChain.rings) : "")),
    row("  relative", (report) => ratio(report, first)),
    row("ns/chain, total", ({ nsPerChain }) => (nsPerChain ? decimal(nsPerChain.total) : "")),
    row("copy, MB/s", ({ disk }) => (disk ? decimal(speed(disk.bytes, disk.copySeconds), 0) : "")),
    row("  plain loop", ({ disk }) =>
      disk?.plainSeconds ? decimal(speed(disk.bytes, disk.plainSeconds), 0) : "",
    ),
    row("frames", ({ capture }) => (capture ? count(capture.frames) : "")),
    row("  bytes of them", ({ capture }) => (capture ? count(capture.bytes) : "")),
    row("  largest", ({ capture }) =>
      capture ? `${count(capture.largest)}, MTU ${count(capture.mtu)}` : "",
    ),
    row("  cut when captured", ({ capture }) => (capture?.cut ? count(capture.cut) : "")),
    row("  differ", ({ capture }) => (capture ? count(capture.differ) : "")),
    row("  dropped", ({ capture }) => (capture ? count(capture.dropped) : "")),
    row("data", integrity),
    row("seconds", ({ seconds }) => decimal(seconds, 2)),
  ];
  return rows.filter(({ cells }) => cells.some((cell) => cell !== ""));
}

/** Where the bytes of a run differ first, or what failed; undefined if nothing is wrong. */
export function faultText({ outcome, reason, integrity, capture }: SimReport): string | undefined {
  if (outcome === "failed") return reason;
  if (outcome !== "mismatch") return undefined;
  const first = integrity.firstMismatch;
  const way = first?.direction === "toDevice" ? "to the device" : "from the device";
  let place = `offset ${first?.offset}`;
  if (first?.chain != null) {
    // Frames are counted from 1 wherever people look at captures.
    const what = capture === null ? `chain ${first.chain}` : `frame ${first.chain + 1}`;
    place = `${what}, byte ${first.offset} ${way}`;
  }
  const values = `${byte(first?.expected)} was sent, ${byte(first?.actual)} arrived`;
  const differ =
    integrity.mismatches === 1 ? "1 byte differs" : `${count(integrity.mismatches)} bytes differ`;
  return `${differ}, first at ${place}: ${values}`;
}

function byte(value: number | null | undefined): string {
  return value == null ? "nothing" : `0x${value.toString(16).padStart(2, "0")}`;
}

/** 1234567 as "1,234,567". */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

function decimal(value: number, digits = 1): string {
  return value.toFixed(digits);
}

function suppressed({ sent, suppressed }: NotificationCount): string {
  const all = sent + suppressed;
  return all === 0 ? "0" : `${count(suppressed)} (${Math.round((100 * suppressed) / all)} %)`;
}

function ratio(report: SimReport, first: SimReport | undefined): string {
  if (!report.nsPerChain || !first?.nsPerChain || report === first) return "";
  return `${decimal(report.nsPerChain.rings / first.nsPerChain.rings, 2)} x`;
}

function speed(bytes: number, seconds: number): number {
  return seconds > 0 ? bytes / seconds / 1e6 : 0;
}

function integrity({ integrity, outcome }: SimReport): string {
  if (outcome === "refused" || outcome === "failed") return "";
  return outcome === "completed" ? `${integrity.algorithm} equal` : `${count(integrity.mismatches)} differ`;
}
