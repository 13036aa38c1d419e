/**
 * What real guests break, as it is checked in: a file for each boot, each finding with the reason for it, and
 * docs/linux.md, all of it for people. Values that a run depends on are left out.
 */
import { fileURLToPath } from "node:url";
import type { Seen } from "./witness";

/** The boots that are on record, and where, from this folder. */
export const RECORDS = {
  attached: fileURLToPath(new URL("linux-findings.json", import.meta.url)),
  upgraded: fileURLToPath(new URL("upgraded-findings.json", import.meta.url)),
} as const;
export type Boot = keyof typeof RECORDS;
/** Both boots for people, and how all of it is written anew. */
export const PAGE = fileURLToPath(new URL("../../../docs/linux.md", import.meta.url));
export const REWRITE = "npm run test:interop -- judged upgrade -u";

/** A finding of a boot. */
export interface GuestFinding {
  readonly by: string;
  readonly device: string;
  /** Where it was found: on offers with packed rings and without, on the legacy interface, on upgraded devices. */
  readonly on: string;
  readonly clause: string;
  readonly section: string;
  readonly level: string;
  readonly what: string;
  /** Why it is so and what comes of it; "" for what nobody has given a reason for. */
  readonly reason: string;
}

/** The file of a boot. */
export interface LinuxRecord {
  readonly schema: "virtq.linux-findings/1";
  /** Who was there: name and version. */
  readonly guests: Readonly<Record<string, string>>;
  /** How each guest initialises each device, in words. */
  readonly orders: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly findings: readonly GuestFinding[];
}

/** The findings of a run, sorted, each once, with the reasons that the old record has for them. */
export function recorded(seen: readonly Seen[], { findings: old }: LinuxRecord): GuestFinding[] {
  const rows = new Map<string, GuestFinding>();
  for (const { by, device, on, finding } of seen) {
    const { clause, section, level } = finding;
    // Behind the colon stands the whole accepted set: longer with every feature, and not what it is about.
    const [what = ""] = finding.what.split(": accepted ");
    const key = [by, device, clause, what].join("\n");
    const found = new Set([...(rows.get(key)?.on.split(", ") ?? []), on]);
    const reason =
      old.find((one) => [one.by, one.device, one.clause, one.what].join("\n") === key)?.reason ?? "";
    rows.set(key, { by, device, on: [...found].sort().join(", "), clause, section, level, what, reason });
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

/** The page. */
export function page({ attached, upgraded }: Readonly<Record<Boot, LinuxRecord>>): string {
  const names = Object.entries(attached.guests).map(([name, version]) => `${name} ${version}`);
  return `${[
    `<!-- Written by ${REWRITE}. -->`,
    "# Guests judged: what real drivers break",
    "",
    `${names.join(" and ")}, as Debian 12 has them, drive our devices on v86's PCI bus, and the judge`,
    "([conformance.md](conformance.md)) hears every access: firmware and boot, traffic, unbinding and binding again, the",
    "legacy interface, a reboot. Each type is there twice: with packed rings on offer, and without them as a transitional",
    "device. None of it is harmful here: our devices go on. A finding that is new, or one that occurs no more, fails",
    `\`npm run test:interop\`; \`${REWRITE}\` writes this page and the records in`,
    "`test/interop/v86/` anew.",
    "",
    "## Findings",
    ...findingTable(attached),
    "",
    "## Orders",
    "From the first reset to DRIVER_OK, repetitions once. Linux's is that of the driver profile `linux-current`, and a test holds",
    "the two together. What the profile does otherwise, because Linux has changed or no clause is about it: it reads four words",
    "of the offer, as kernels do that know 128 features; the balloon drops INDIRECT_DESC with ACCESS_PLATFORM, as newer kernels",
    "do and 6.1 does not; and it sets up one queue after the other, where Linux on PCI enables all of them at the end.",
    "",
    ...orderTable(attached),
    "",
    "## v86's own devices, upgraded",
    "Registers, configuration and device models are v86's, the rings are ours. What is said of v86 here is of its registers.",
    "Linux's boot, traffic over every offer of ring features and a snapshot are judged; firmware leaves these devices alone.",
    "",
    ...findingTable(upgraded),
    "",
    ...orderTable(upgraded),
  ].join("\n")}\n`;
}

function findingTable({ findings }: LinuxRecord): string[] {
  return [
    "| who | device | found on | clause | section | level | what | why |",
    "|---|---|---|---|---|---|---|---|",
    ...findings.map(
      ({ by, device, on, clause, section, level, what, reason }) =>
        `| ${[by, device, on, clause, `§${section}`, level, cell(what), cell(reason)].join(" | ")} |`,
    ),
  ];
}

function orderTable({ orders }: LinuxRecord): string[] {
  return [
    "| who | device | order |",
    "|---|---|---|",
    ...Object.entries(orders).flatMap(([who, devices]) =>
      Object.entries(devices).map(([device, order]) => `| ${who} | ${device} | ${cell(order)} |`),
    ),
  ];
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
