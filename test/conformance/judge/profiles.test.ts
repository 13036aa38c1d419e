// The driver profiles against the strict device, judged from the device's own events and from a tap on the port: both
// say the same, and it is what expected-findings.json says of the profile.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { compareFindings, type ExpectedFindingsFile } from "../../../src/conformance/expected";
import { judge } from "../../../src/conformance/judge";
import { configFields } from "../../../src/device/model";
import { DEVICE_PROFILES } from "../../../src/device/profiles";
import { VirtioDriver } from "../../../src/driver/driver";
import { MISDEEDS } from "../../../src/driver/misdeed-table";
import { DRIVER_PROFILES } from "../../../src/driver/profiles";
import { tapPort } from "../../../src/trace/port-tap";
import { Transcript } from "../../../src/trace/transcript";
import { makeRig } from "../../control-rig";

const path = "test/conformance/expected-findings.json";
const expected = JSON.parse(readFileSync(path, "utf8")) as ExpectedFindingsFile;
const knows = ["VERSION_1", "RING_PACKED", "EVENT_IDX", "INDIRECT_DESC", "MAC", "MTU", "STATUS"];

const AFTER_REFUSAL = /refusal|retries/;
const MTU = 3;

/** Two lives of a network driver whose device has an MTU that is too small; what both sources say of them. */
async function run(profile: string, device = profile === "legacy" ? "transitional" : "strict") {
  const isLegacy = profile === "legacy";
  const rig = makeRig({
    model: {
      deviceType: "net",
      deviceId: 1,
      offers: ["MAC", "MTU", "STATUS"],
      config: configFields("net", { mac: 0x0605_0403_0201n, mtu: 60, status: 1 }),
      // What a driver does about a refusal shows only where there is one.
      ...(AFTER_REFUSAL.test(profile)
        ? { validate: (accepted) => (accepted.has(MTU) ? undefined : "no") }
        : {}),
    },
    device: { profile: device },
  });
  const tapped = new Transcript({ clock: () => 0 });
  const driver = new VirtioDriver({
    core: rig.core,
    allocator: rig.allocator,
    port: tapPort(rig.port, tapped.sink),
    supports: knows,
    profile,
    queues: 1,
    validate: async ({ accepted, readConfigField }) =>
      accepted.has("MTU", "net") && Number(await readConfigField("mtu")) < 68 ? ["MTU"] : [],
  });
  for (let life = 0; life < 2; life++) {
    await driver.initialize();
    if (driver.negotiated?.has("MAC", "net")) await driver.readConfigField("mac");
    await driver.reset();
  }
  const context = {
    deviceType: "net",
    transport: "loopback",
    offered: rig.device.offered,
    legacy: isLegacy,
  } as const;
  const ofDevice = rig.transcript.events.filter(({ side }) => side === "device");
  return { tapped: judge(tapped.events, context), told: judge(ofDevice, context) };
}

const names = [
  ...Object.keys(DRIVER_PROFILES),
  ...Object.keys(MISDEEDS).map((name) => `misbehaving:${name}`),
];

it.each(Object.keys(DRIVER_PROFILES))(
  "profile %s breaks what is expected of it and nothing else",
  async (profile) => {
    const { told } = await run(profile);
    expect(compareFindings(told, expected.profiles[profile] ?? [])).toEqual({ unexpected: [], absent: [] });
  },
);

it.each(Object.keys(DEVICE_PROFILES))(
  "every driver is judged alike from the events of device %s and from a tap",
  async (device) => {
    const text = ({ clause, what }: { clause: string; what: string }) => `${clause} ${what}`;
    for (const profile of names) {
      const { tapped, told } = await run(profile, device);
      expect([profile, ...tapped.map(text)]).toEqual([profile, ...told.map(text)]);
    }
  },
);

it.each(Object.entries(MISDEEDS))(
  "the misdeed %s breaks the clause that it names",
  async (name, { clause }) => {
    const { told } = await run(`misbehaving:${name}`);
    if (clause === "") expect(told).toEqual([]);
    else expect(told.map((finding) => finding.clause)).toContain(clause);
  },
);
