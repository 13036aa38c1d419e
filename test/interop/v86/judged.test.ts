/**
 * Real guests judged: SeaBIOS and Linux drive devices of all five types, with packed rings on offer and without, over the
 * modern interface and the legacy one, and through a reboot. What they break is on record, each finding with its reason.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BalloonModel } from "../../../src/models";
import type { DeviceType } from "../../../src/negotiation/feature-table";
import { type Attachment, attach, type DeviceSpec } from "../../../src/v86";
import { LINUX_DRIVERS, OFFER } from "../../conformance/linux-drivers";
import { GuestMissing } from "./apt";
import { Linux } from "./linux";
import { expectOnRecord } from "./on-record";
import { findGuestFiles } from "./packages";
import { LIMIT, PATIENCE } from "./patience";
import { reloadAtReset } from "./reload";
import { virtioDevices } from "./sysfs";
import { type Actor, type Processor, Witness } from "./witness";

const files = findGuestFiles();
const TYPES = Object.keys(LINUX_DRIVERS) as DeviceType[];
/** The second one is transitional, and has no packed ring, which no legacy driver knows. */
const OFFERS = {
  packed: OFFER,
  split: [...OFFER.filter((name) => name !== "RING_PACKED"), "ANY_LAYOUT", "UNUSED"],
};
type Ring = keyof typeof OFFERS;
const RINGS = Object.keys(OFFERS) as Ring[];
/** Who drives which types, by whose order is recorded. */
const DRIVEN: readonly (readonly [Actor, readonly DeviceType[]])[] = [
  ["SeaBIOS", ["blk"]],
  ["Linux", TYPES],
];

describe.skipIf(files instanceof GuestMissing)("guests judged", { timeout: LIMIT }, () => {
  const witness = new Witness();
  const balloons: BalloonModel[] = [];
  let running: Linux | undefined;
  let attached: Attachment | undefined;

  beforeAll(async () => {
    if (files instanceof GuestMissing) throw files;
    running = await Linux.start(files, {
      prepare: async (emulator) => {
        reloadAtReset(emulator);
        witness.attend((emulator as unknown as { v86: { cpu: Processor } }).v86.cpu);
        attached = await attach(emulator, RINGS.flatMap(devicesFor));
      },
    });
  }, LIMIT);

  afterAll(() => running?.stop());

  function devicesFor(ring: Ring): DeviceSpec[] {
    return TYPES.map((type): DeviceSpec => {
      const model = LINUX_DRIVERS[type]?.model();
      if (model === undefined) throw new Error(type);
      if (type === "balloon") balloons.push(model as BalloonModel);
      const name = `${ring} ${type}`;
      const onEvent = witness.watch({ type, ring, offering: () => device(name) });
      return { model, name, onEvent, offer: OFFERS[ring], transitional: ring === "split" };
    });
  }

  function device(name: string) {
    const found = attached?.devices.find((one) => one.name === name)?.device;
    if (found === undefined) throw new Error(`no device ${name}`);
    return found;
  }

  function guest(): Linux {
    if (running === undefined) throw new Error("the guest did not boot");
    return running;
  }

  const each = (what: string, then: string) => `for d in ${what}; do ${then} || exit 1; done`;

  /** Every driver has something to do. */
  async function traffic(): Promise<void> {
    await guest().succeed(
      each("/dev/vd?", "dd if=$d of=/tmp/part bs=4k count=64 && dd if=/tmp/part of=$d bs=4k"),
    );
    await guest().succeed(`sync; ${each("$(ls /sys/class/net | grep eth)", "ifconfig $d up")}`);
    await guest().succeed(
      "dd if=/dev/hwrng of=/dev/null bs=64 count=4 iflag=fullblock; echo line > /dev/hvc0",
    );
    for (const pages of [64, 0]) {
      for (const balloon of balloons) {
        balloon.target(pages);
        await expect.poll(() => balloon.actual, { timeout: PATIENCE }).toBe(pages);
      }
    }
  }

  /** The types that a driver has taken, sorted. */
  async function bound(): Promise<(DeviceType | undefined)[]> {
    const devices = await virtioDevices(guest());
    return devices.flatMap(({ driver, type }) => (driver === "" ? [] : [type])).sort();
  }

  it("drive every device, bind it anew, and go over the legacy interface", async () => {
    expect(await bound()).toEqual([...TYPES, ...TYPES].sort());
    await traffic();
    const rebind = "n=$(basename $d); p=$(readlink -f $d/driver); echo $n > $p/unbind && echo $n > $p/bind";
    await guest().succeed(each("/sys/bus/virtio/devices/*", rebind));
    expect(await bound()).toEqual([...TYPES, ...TYPES].sort());
    await guest().succeed("rmmod virtio_pci");
    witness.begin("split");
    await guest().succeed("insmod /lib/virtio_pci.ko force_legacy=1");
    expect(await bound()).toEqual([...TYPES, ...TYPES].sort());
    expect(TYPES.map((type) => device(`split ${type}`).isLegacy)).toEqual(TYPES.map(() => true));
    await traffic();
  });

  it("reboot, and drive every device over the modern interface again", async () => {
    witness.begin();
    await guest().reboot();
    expect(await bound()).toEqual([...TYPES, ...TYPES].sort());
    expect(attached?.devices.map(({ device }) => device.phase)).toEqual(
      [...TYPES, ...TYPES].map(() => "live"),
    );
    await traffic();
  });

  it("break what is on record, and nothing else", async () => {
    await expectOnRecord(witness, {
      boot: "attached",
      guests: { SeaBIOS: "1.16", Linux: "6.1" },
      driven: DRIVEN,
      ring: "packed",
    });
  });
});
