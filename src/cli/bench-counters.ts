/** `virtq bench --counters`: counts, prints, and compares with a kept file or writes it. */
import { readFileSync, writeFileSync } from "node:fs";
import Table from "cli-table3";
import { countAll } from "../../bench/counters/count";
import { differences, type Golden, goldenText } from "../../bench/counters/golden";
import type { CounterRow } from "../../bench/counters/row";
import { colours } from "./colours";
import { systemReason } from "./files";
import { UsageError } from "./usage-error";

/** What to do with the file. */
export interface CounterOptions {
  readonly golden: string | undefined;
  readonly write: boolean;
}

/** The counters, and what differs from the file; nothing without one. */
export function countAgainst({ golden, write }: CounterOptions): { rows: CounterRow[]; changed: string[] } {
  const kept = golden === undefined || write ? undefined : readGolden(golden);
  const rows = countAll();
  if (golden !== undefined && write) writeFileSync(golden, goldenText(rows));
  return { rows, changed: kept === undefined ? [] : differences(rows, kept.rows) };
}

function readGolden(path: string): Golden {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`can't read the counters ${path}: ${systemReason(error)}`);
  }
  try {
    const golden = JSON.parse(text) as Golden;
    if (golden.schema === "virtq.counters/1") return golden;
  } catch {
    // no JSON at all
  }
  throw new UsageError(`${path} holds no counters (virtq.counters/1)`);
}

/** The counters as a box, per chain; driver and device side by side. */
export function drawCounters(rows: readonly CounterRow[]): string {
  const head = [
    "ring",
    "chain",
    "batch",
    "instructions",
    "loads",
    "stores",
    "lines",
    "transfers",
    "PCI reads",
    "PCI writes",
    "notifications",
  ];
  const table = new Table({
    head: head.map((text) => colours.bold(text)),
    colAligns: ["left", "left", ...head.slice(2).map(() => "right" as const)],
    style: { head: [], border: [] },
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
  });
  for (const row of rows) {
    const { driver, device } = row;
    const both = (key: keyof typeof driver) => `${short(driver[key])} + ${short(device[key])}`;
    table.push([
      row.ring,
      row.notify === "off" ? row.chain : `${row.chain}, ${row.notify}`,
      row.batch,
      both("instructions"),
      both("loads"),
      both("stores"),
      both("lines"),
      short(row.transfers),
      short(row.pciReads),
      short(row.pciWrites),
      `${short(row.availableNotifications)} + ${short(row.usedNotifications)}`,
    ]);
  }
  return `per chain, driver + device; counted in the release module, not measured; transfers and PCI accesses are a model's\n${table}\n${WHY}`;
}

const WHY = [
  "Why: a split chain is spread over three areas, so a batch of one moves more lines between the sides and reads more often.",
  "Packed has all of it in one descriptor, but a used one is written back where the next lap is made available, so from 32 on",
  "the lines even out; with IN_ORDER a batch is used with one descriptor, and half of the transfers go.",
].join("\n");

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toFixed(2)));
}
