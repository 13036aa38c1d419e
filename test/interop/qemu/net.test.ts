/** Two virtio-net devices of QEMU (§5.1) on a hub, each behind a driver half: frames of all sizes both ways at once. */
import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { NetDriver } from "../../../src/driver/net";
import { NET_DRIVER_FEATURES, netProbe, netValidate } from "../../../src/driver/net-features";
import { Guest } from "./guest";
import { eachQemu } from "./lab";
import { featuresOf, propertiesOf, ringsOf, titleOf } from "./rings";

const FRAMES = 300;
/** Frames on their way at once: fewer than receive buffers, so that the hub never has to drop one. */
const WINDOW = 8;
const MACS = ["52:54:00:00:00:0a", "52:54:00:00:00:0b"] as const;

eachQemu("virtio-net", (lab) => {
  it.each(ringsOf(lab.qemu).map((ring) => [titleOf(ring), ring] as const))("%s", async (title, ring) => {
    const machine = await lab.start(
      MACS.flatMap((mac, i) => [
        ...["-netdev", `hubport,id=port${i},hubid=0`],
        ...["-device", `virtio-net-device,netdev=port${i},mac=${mac},host_mtu=1500,${propertiesOf(ring)}`],
      ]),
    );
    const guest = await Guest.of(machine);
    const drivers = await Promise.all(
      machine.devices().map((device) =>
        guest.attach(device, {
          supports: [...featuresOf(ring), ...NET_DRIVER_FEATURES],
          deviceType: "net",
          queues: 2,
          queueSize: 32,
          indirect: ring.indirect ? 2 : 0,
          validate: netValidate,
          probe: netProbe,
        }),
      ),
    );
    const ends: NetDriver[] = [];
    for (const driver of drivers) {
      expect(await driver.initialize()).toMatchObject({ ok: true, ring });
      ends.push(await NetDriver.start(driver, guest.core, guest.allocator, { indirect: ring.indirect }));
    }
    const [near, far] = ends;
    if (near === undefined || far === undefined) throw new Error("two devices were asked for");
    expect(near.mac.join(":")).not.toBe(far.mac.join(":"));
    const ways = [way(near, far), way(far, near)];
    await guest.until(async () => {
      for (const { to, arrived } of ways) to.poll((frame) => arrived.push(Buffer.from(frame)));
      for (const { from, frames, arrived, sent } of ways) {
        while (sent.count < FRAMES && sent.count - arrived.length < WINDOW) {
          if (from.send(frames[sent.count] ?? Buffer.of()) === 0) break;
          sent.count++;
        }
        await from.submit();
      }
      return ways.every(({ arrived, from }) => arrived.length === FRAMES && from.inFlight === 0);
    });
    for (const { frames, arrived, to } of ways) {
      expect(arrived.map((frame, i) => frame.equals(frames[i] ?? Buffer.of()))).toEqual(
        Array(FRAMES).fill(true),
      );
      expect(to.malformed).toBe(0);
    }
    const bytes = ways.flatMap(({ arrived }) => arrived).reduce((sum, { length }) => sum + length, 0);
    lab.tell(
      `net: ${title}; ${2 * FRAMES} frames, ${bytes} bytes, ${drivers[0]?.negotiated?.names("net").join(" ")}`,
    );
  });
});

/** Frames of every size from 60 to 1514 bytes, from one end to the other. */
function way(from: NetDriver, to: NetDriver) {
  const frames = Array.from({ length: FRAMES }, (_, i) => {
    const payload = randomBytes(60 + ((i * 37) % 1455) - 14);
    return Buffer.concat([to.mac, from.mac, Buffer.of(0x88, 0xb5), payload]);
  });
  return { from, to, frames, arrived: [] as Buffer[], sent: { count: 0 } };
}
