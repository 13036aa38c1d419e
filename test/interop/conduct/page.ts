/** docs/conduct.md: the table of conduct as a page for people, made from QEMU's recorded answers and those of ours. */
import { fileURLToPath } from "node:url";
import { ask } from "./ask";
import { type Answers, faultsOf, reasonsOf, resultOf } from "./comparison";
import { OurSubject, PROFILES, type ProfileName } from "./our-subject";
import { PROBES } from "./probes";

/** Where the page and the record are, from this folder. */
export const PAGE = fileURLToPath(new URL("../../../docs/conduct.md", import.meta.url));
export const RECORD = fileURLToPath(new URL("qemu.json", import.meta.url));
/** How both are written anew. */
export const REWRITE = "npm run test:interop -- conduct -u";

/** What QEMU answered. */
export interface QemuRecord {
  /** Its version, major and minor. */
  readonly qemu: string;
  /** By what the driver does. */
  readonly answers: Readonly<Record<string, string>>;
}

/** A page, and what is wrong with what it says. */
export interface Conduct {
  readonly text: string;
  /** Differences without a reason and reasons without a difference. */
  readonly faults: readonly string[];
}

/** Asks ours in every profile, and puts the answers beside QEMU's. */
export async function conduct(record: QemuRecord): Promise<Conduct> {
  const groups = [];
  for (const { title, probes } of PROBES) {
    const rows: Answers[] = [];
    for (const probe of probes) {
      const seen: [ProfileName, string][] = [];
      for (const profile of PROFILES) {
        seen.push([profile, await ask(probe, () => new OurSubject(probe.device, profile))]);
      }
      const ours = Object.fromEntries(seen) as Record<ProfileName, string>;
      rows.push({ probe, qemu: record.answers[probe.does], ours });
    }
    groups.push({ title, rows });
  }
  const rows = groups.flatMap((group) => group.rows);
  return { text: page(record.qemu, groups), faults: [...strangers(record), ...rows.flatMap(faultsOf)] };
}

/** Recorded answers of probes that QEMU isn't asked, or that are there no more. */
function strangers({ answers }: QemuRecord): string[] {
  const probes = PROBES.flatMap((group) => group.probes);
  const asked = new Set(probes.filter(({ notAsked }) => notAsked === undefined).map(({ does }) => does));
  return Object.keys(answers)
    .filter((does) => !asked.has(does))
    .map((does) => `"${does}": recorded, and QEMU is not asked any more`);
}

interface Group {
  readonly title: string;
  readonly rows: readonly Answers[];
}

function page(version: string, groups: readonly Group[]): string {
  const rows = groups.flatMap((group) => group.rows);
  return `${[
    `<!-- Written by ${REWRITE}. -->`,
    "# Conduct: QEMU's devices and ours, probe by probe",
    "",
    `The same driver by hand, over virtio-mmio registers and raw rings, in front of QEMU ${version}'s devices (through qtest),`,
    "of our device half with profile `strict`, and with profile `qemu-mmio`, which is made to be like QEMU. A row holds what",
    "the driver saw of each, the rule that the probe tries, by clause and section of virtio 1.4, and what comes of it.",
    `\`${REWRITE}\` asks anew; a difference without a reason fails.`,
    "",
    ...summary(rows),
    "",
    "- **agree**: all that was seen of QEMU and `strict` is equal.",
    "- **ours stricter**: `strict` lets less pass than QEMU by that rule, or does a duty that QEMU leaves out.",
    "- **QEMU stricter**: the other way round; the rule allows both.",
    "- **left open**: both keep the rule, or it is silent.",
    "- **not asked**: the probe would end QEMU, or have it loop for ever. Ours is asked all the same.",
    "",
    "A profile changes negotiation, status and configuration. Registers, queues and chains are judged alike in every profile,",
    "because what a ring makes a device do to guest memory is no matter of taste: there `qemu-mmio` stands with `strict`.",
    ...groups.flatMap(({ title, rows: own }) => ["", `## ${title}`, ...table(version, own)]),
    ...unasked(version, rows),
  ].join("\n")}\n`;
}

function summary(rows: readonly Answers[]): string[] {
  const results = ["agree", "ours stricter", "QEMU stricter", "left open", "not asked"];
  const asked = rows.filter(({ qemu }) => qemu !== undefined);
  const alike = asked.filter(({ qemu, ours }) => ours["qemu-mmio"] === qemu);
  return [
    `| probes | ${results.join(" | ")} | \`qemu-mmio\` as QEMU |`,
    `|---|${results.map(() => "---|").join("")}---|`,
    `| ${rows.length} | ${results.map((name) => rows.filter((row) => resultOf(row) === name).length).join(" | ")} | ${alike.length} of ${asked.length} |`,
  ];
}

function table(version: string, rows: readonly Answers[]): string[] {
  return [
    `| what the driver does | QEMU ${version} | strict | qemu-mmio | rule | result |`,
    "|---|---|---|---|---|---|",
    ...rows.map((row) => {
      const { probe, qemu = "not asked", ours } = row;
      const reasons = reasonsOf(row);
      const result = `${resultOf(row)}${reasons.length === 0 ? "" : `: ${reasons.join("; ")}`}`;
      return `| ${[probe.does, qemu, ours.strict, ours["qemu-mmio"], probe.rule, result].join(" | ")} |`;
    }),
  ];
}

/** What QEMU would do instead of answering, and at which probes. */
function unasked(version: string, rows: readonly Answers[]): string[] {
  const left = rows.filter(({ qemu }) => qemu === undefined).map(({ probe }) => probe);
  const items = [...new Set(left.map(({ notAsked }) => notAsked))].map((why) => {
    const names = left.filter(({ notAsked }) => notAsked === why).map(({ does }) => does);
    return `- It ${why}. ${names.join("; ")}.`;
  });
  return ["", `## Not asked of QEMU ${version}`, ...items];
}
