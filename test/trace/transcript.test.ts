// The transcript: every step is in it, for a person as a table, for a program as plain data.
import { describe, expect, it } from "vitest";
import type { ControlEvent } from "../../src/negotiation/control-event";
import { Transcript } from "../../src/trace/transcript";
import { makeRig, started } from "../control-rig";

const event = (more: Partial<ControlEvent> = {}): ControlEvent => ({
  side: "driver",
  step: "status",
  section: "3.1.1",
  ...more,
});

describe("Transcript", () => {
  it("numbers and times events from the first one on", () => {
    let now = 500;
    const transcript = new Transcript({ clock: () => now });
    now = 1000;
    transcript.sink(event());
    now = 1002.5;
    transcript.sink(event({ side: "device" }));
    expect(transcript.events.map(({ seq, time }) => [seq, time])).toEqual([
      [0, 0],
      [1, 2.5],
    ]);
    expect(transcript.toText().split("\n").slice(1)).toEqual([
      "0.00  driver    status                         §3.1.1",
      "2.50    device  status                         §3.1.1",
    ]);
  });

  it("keeps as many as its limit and counts the rest", () => {
    const transcript = new Transcript({ limit: 2 });
    for (let i = 0; i < 5; i++) transcript.sink(event());
    expect([transcript.events.length, transcript.dropped]).toEqual([2, 3]);
    expect(transcript.toText()).toMatch(/… and 3 more$/);
    expect(transcript.toJSON().dropped).toBe(3);
    expect(new Transcript().toText()).toBe("");
  });

  it("tells a whole initialisation, with sections, and reads back from JSON", async () => {
    const rig = await started(
      makeRig({ offer: ["VERSION_1", "RING_PACKED"], supports: ["VERSION_1", "RING_PACKED"] }),
    );
    const text = rig.transcript.toText({ short: true, times: false, width: 120 });
    expect(text).toBe(
      [
        "side      step      field        before → after               section  note",
        "driver    reset     status       0x00 → 0x00                  §2.4     asks for a reset",
        "driver    reset     status       0x00                         §2.4.2   read back: the reset is over",
        "driver    status    status       0x00 → 0x01                  §3.1.1   ACKNOWLEDGE",
        "driver    status    status       0x01 → 0x03                  §3.1.1   DRIVER",
        "driver    features  offered      2 features                   §2.2.1   read",
        "          offered: VERSION_1, RING_PACKED",
        "driver    features  choice       2 features                   §2.2.1   all that is offered",
        "driver    features  accepted     2 features                   §3.1.1   accepts",
        "          accepted: VERSION_1, RING_PACKED",
        "driver    validate                                            §3.1.1   nothing dropped",
        "driver    status    status       0x03 → 0x0b                  §3.1.1   FEATURES_OK",
        "  device  status    FEATURES_OK  0x03 → 0x0b                  §3.1.1   confirmed",
        "          negotiated: VERSION_1, RING_PACKED",
        "driver    status    status       0x0b                         §3.1.1   FEATURES_OK confirmed",
        "driver    layout    ring         packed                       §2.6     VIRTIO_F_RING_PACKED (bit 34) was negotiated",
        "driver    queue     queue 0      at most 16 → 16 descriptors  §3.1.1   packed ring",
        "driver    status    status       0x0b → 0x0f                  §3.1.1   DRIVER_OK",
      ].join("\n"),
    );
    const json = JSON.parse(JSON.stringify(rig.transcript));
    expect(json.schema).toBe("virtq.transcript/1");
    expect(json.events).toEqual(rig.transcript.events);
    expect(json.events.at(-1)).toMatchObject({
      side: "device",
      step: "status",
      before: "0x0b",
      after: "0x0f",
    });
  });

  it("has every breach and refusal among its findings, with code and section", async () => {
    const rig = makeRig({ model: { validate: () => "no" } });
    await rig.driver.initialize();
    rig.device.readConfig(0, 4);
    expect(rig.transcript.findings.map(({ code, section, side }) => [side, code, section])).toEqual([
      ["device", "FEATURES_REFUSED", "2.2.2"],
      ["device", "CONFIG_RANGE", "2.5"],
    ]);
    expect(rig.transcript.toText({ width: 160 })).toContain("FEATURES_REFUSED: refused: no");
  });

  it("leaves a side without a listener alone", async () => {
    const rig = makeRig();
    const count = rig.transcript.events.length;
    const { core, allocator, port } = rig;
    const { VirtioDriver } = await import("../../src/driver/driver");
    await new VirtioDriver({ core, allocator, port, supports: ["VERSION_1"] }).initialize();
    expect(rig.transcript.events.slice(count).every(({ side }) => side === "device")).toBe(true);
  });
});
