/**
 * `virtq sim`: its options, their meaning and every complaint that needs neither a device nor a file.
 */
import type { Command } from "cac";
import { DEVICE_PROFILES } from "../device/profiles";
import { MISDEEDS } from "../driver/misdeed-table";
import { DRIVER_PROFILES } from "../driver/profiles";
import { UsageError } from "./usage-error";
import { namesOf, numberOf, numbersOf, optionName, textOf } from "./values";

/** The options of `virtq sim`; undefined is "not given". */
export interface SimArguments {
  readonly offer: readonly string[] | undefined;
  readonly accept: readonly string[] | undefined;
  readonly deviceProfile: string | undefined;
  readonly driverProfile: string | undefined;
  readonly queueSize: number | undefined;
  readonly batch: number | undefined;
  readonly chains: number | undefined;
  readonly readable: readonly number[] | undefined;
  readonly writable: readonly number[] | undefined;
  readonly indirect: boolean;
  readonly seed: number | undefined;
  readonly disk: string | undefined;
  readonly diskOut: string | undefined;
  readonly blockSize: number | undefined;
  readonly pcap: string | undefined;
  readonly pcapOut: string | undefined;
  readonly flipByte: number | undefined;
  readonly scenario: string | undefined;
  readonly listScenarios: boolean;
  readonly transcript: boolean;
  readonly json: boolean;
}

/** Option, what it does; the part in angle brackets is its value. */
const OPTIONS: readonly (readonly [flag: string, description: string])[] = [
  ["--offer <names>", "Features the device offers, between commas. Default: all that virtq has"],
  ["--accept <names>", "Features the driver accepts of them. Without --offer and --accept: three runs"],
  [
    "--device-profile <name>",
    `How the device behaves, strict by default: ${Object.keys(DEVICE_PROFILES).join(", ")}`,
  ],
  [
    "--driver-profile <name>",
    `In which order the driver goes, linux-current by default: ${Object.keys(DRIVER_PROFILES).join(", ")}; misdeeds behind a colon: ${Object.keys(MISDEEDS).join(", ")}`,
  ],
  ["--queue-size <n>", "Descriptors in the ring, 1 to 32768. Default: 256"],
  ["--batch <n>", "Chains for each publish. Default: 32, with --disk 4"],
  ["--chains <n>", "Chains in all. Default: 100000"],
  ["--readable <bytes>", "Device-readable buffers of a chain, between commas. Default: 16"],
  ["--writable <bytes>", "Device-writable buffers of a chain, between commas. Default: 512"],
  ["--indirect", "Every chain through an indirect table; needs INDIRECT_DESC negotiated"],
  ["--seed <n>", "Where the bytes come from: same seed, same counters. Default: 1"],
  ["--disk <file>", "Copy this disk through two block devices instead of an echo"],
  ["--disk-out <file>", "Keep the second disk here; the file must not exist"],
  ["--block-size <bytes>", "Data of one disk request, a multiple of 512. Default: 1M"],
  ["--pcap <file>", "Send the frames of this capture (pcap, pcapng) through two network devices"],
  ["--pcap-out <file>", "Write what arrived as pcapng; the file must not exist"],
  ["--flip-byte <offset>", "Fault injection: invert this byte of the disk, or of all frames, on its way"],
  ["--scenario <name>", 'Play a scene of a negotiation, or all of them with "all"'],
  ["--list-scenarios", "Print the scenes, a line each"],
  ["--transcript", "Print every step of the negotiation, not the short form"],
  ["--json", "Print one JSON object (schema virtq.sim/1)"],
];

const EXAMPLES: readonly string[] = [
  "  $ virtq sim",
  "  $ virtq sim --accept VERSION_1,RING_PACKED,EVENT_IDX --chains 1_000_000",
  "  $ virtq sim --accept VERSION_1,INDIRECT_DESC --indirect --readable 16,4096 --writable 1",
  "  $ virtq sim --disk rootfs.img --disk-out copy.img",
  "  $ virtq sim --pcap traffic.pcap --pcap-out arrived.pcapng",
  "  $ virtq sim --scenario net-mtu-60",
  "  $ virtq sim --offer VERSION_1 --queue-size 16 --json",
];

/** Gives a cac command the options and examples of `virtq sim`. */
export function declareSim(command: Command): void {
  for (const [flag, description] of OPTIONS) command.option(flag, description);
  for (const example of EXAMPLES) command.example(example);
}

/**
 * Reads the options.
 *
 * @param argv what stands behind `virtq sim`
 * @throws UsageError
 */
export function readSimArguments(argv: readonly string[]): SimArguments {
  const parsed: SimArguments = {
    offer: namesOf(argv, "offer"),
    accept: namesOf(argv, "accept"),
    deviceProfile: textOf(argv, "device-profile"),
    driverProfile: textOf(argv, "driver-profile"),
    queueSize: numberOf(argv, "queue-size"),
    batch: numberOf(argv, "batch"),
    chains: numberOf(argv, "chains"),
    readable: numbersOf(argv, "readable"),
    writable: numbersOf(argv, "writable"),
    indirect: argv.includes("--indirect"),
    seed: numberOf(argv, "seed"),
    disk: textOf(argv, "disk"),
    diskOut: textOf(argv, "disk-out"),
    blockSize: numberOf(argv, "block-size"),
    pcap: textOf(argv, "pcap"),
    pcapOut: textOf(argv, "pcap-out"),
    flipByte: numberOf(argv, "flip-byte"),
    scenario: textOf(argv, "scenario"),
    listScenarios: argv.includes("--list-scenarios"),
    transcript: argv.includes("--transcript"),
    json: argv.includes("--json"),
  };
  if (parsed.disk !== undefined && parsed.pcap !== undefined) {
    throw new UsageError("--disk and --pcap are two different runs: give one of them");
  }
  refuseWithout(parsed, ["disk"], ["diskOut", "blockSize"]);
  refuseWithout(parsed, ["pcap"], ["pcapOut"]);
  refuseWithout(parsed, ["disk", "pcap"], ["flipByte"]);
  refuseBeside(parsed, "disk", ["chains", "readable", "writable"]);
  refuseBeside(parsed, "pcap", ["chains", "readable", "writable"]);
  refuseBesideScene(parsed);
  if (parsed.seed !== undefined && parsed.seed > 0xffffffff) {
    throw new UsageError(`--seed must be below 2^32, not ${parsed.seed}`);
  }
  if (parsed.blockSize !== undefined && (parsed.blockSize === 0 || parsed.blockSize % 512 !== 0)) {
    throw new UsageError(`--block-size must be a multiple of 512 bytes, not ${parsed.blockSize}`);
  }
  return parsed;
}

/** A scene decides everything but how it is shown. */
function refuseBesideScene({ scenario, listScenarios, transcript: _, json, ...others }: SimArguments): void {
  if (scenario === undefined && !listScenarios) return;
  const scene = scenario === undefined ? "--list-scenarios" : "--scenario";
  const given = Object.entries(others).find(([, value]) => value !== undefined && value !== false);
  if (given !== undefined) {
    throw new UsageError(`${optionName(given[0])} can't stand beside ${scene}: a scene decides that itself`);
  }
  if (scenario !== undefined && listScenarios)
    throw new UsageError("--scenario and --list-scenarios: give one of them");
  if (listScenarios && json) throw new UsageError("--list-scenarios prints text: leave out --json");
}

function refuseWithout(
  parsed: SimArguments,
  needed: (keyof SimArguments)[],
  options: (keyof SimArguments)[],
): void {
  const given = options.find((option) => parsed[option] !== undefined);
  if (given !== undefined && needed.every((option) => parsed[option] === undefined)) {
    const either = needed.map((option) => `${optionName(option)} FILE`).join(" or ");
    throw new UsageError(`${optionName(given)} means something only with ${either}`);
  }
}

function refuseBeside(
  parsed: SimArguments,
  other: keyof SimArguments,
  options: (keyof SimArguments)[],
): void {
  const given = options.find((option) => parsed[option] !== undefined);
  if (given !== undefined && parsed[other] !== undefined) {
    throw new UsageError(
      `${optionName(given)} shapes the echo workload and can't stand beside ${optionName(other)}`,
    );
  }
}
