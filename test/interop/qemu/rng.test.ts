/** virtio-rng of QEMU (§5.4) behind the driver half: all bytes of its source, in order. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { RngDriver } from "../../../src/driver/rng";
import { Guest } from "./guest";
import { eachQemu } from "./lab";
import { featuresOf, propertiesOf, ringsOf, titleOf } from "./rings";

const ROUNDS = 16;
const REQUESTS = 4;
const LENGTH = 64;

eachQemu("virtio-rng", (lab) => {
  it.each(ringsOf(lab.qemu).map((ring) => [titleOf(ring), ring] as const))("%s", async (title, ring) => {
    const bytes = randomBytes(ROUNDS * REQUESTS * LENGTH);
    writeFileSync(lab.file("source"), bytes);
    const machine = await lab.start([
      ...["-object", `rng-random,id=source,filename=${lab.file("source")}`],
      ...["-device", `virtio-rng-device,rng=source,${propertiesOf(ring)}`],
    ]);
    const guest = await Guest.of(machine);
    const driver = await guest.attach(machine.devices()[0], {
      supports: featuresOf(ring),
      deviceType: "entropy",
      queues: 1,
      queueSize: 8,
    });
    expect(await driver.initialize()).toMatchObject({ ok: true, ring });
    const rng = new RngDriver(driver, guest.core, guest.allocator);
    let count = 0;
    const received: Buffer[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < REQUESTS; i++) expect(rng.request(LENGTH)).toBeGreaterThan(0);
      await rng.submit();
      await guest.until(() => {
        count += rng.poll((_, view) => received.push(Buffer.from(view)));
        return rng.inFlight === 0;
      });
    }
    expect(count).toBe(ROUNDS * REQUESTS);
    expect(received.every(({ length }) => length > 0)).toBe(true);
    // A request may get fewer bytes than it has room for; none of the source's is left out between two.
    const all = Buffer.concat(received);
    expect(all.equals(bytes.subarray(0, all.length))).toBe(true);
    lab.tell(`rng: ${title}; ${count} requests, ${all.length} bytes`);
  });
});
