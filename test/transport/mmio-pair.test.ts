// Both sides of virtio-mmio together (§4.2): a driver on MmioPort, its accesses carried to MmioTransport and a device.
import { describe, expect, it } from "vitest";
import { mmioWire } from "./mmio-wire";
import { pairTests } from "./pair-tests";
import { BUSES, echo, echoesTwice, pair, start } from "./port-pair";

pairTests(mmioWire({}), {
  queueReset: "MMIO-033 MMIO-034 MMIO-035 §4.2.2.2 driver:",
  used: "MMIO-042 §4.2.3.4 driver:",
});

describe.each(BUSES)("MMIO-054 §4.2.4: version 1, a bus that answers %s", (when) => {
  const later = when === "later";
  const options = { later, device: { profile: "transitional" } };

  it.each(["linux-current", "legacy"])("driver %s and a transitional device echo", async (profile) => {
    const rig = await start(
      await pair(mmioWire({ version: 1 }), echo(), ["VERSION_1", "EVENT_IDX"], {
        ...options,
        driver: { profile },
      }),
    );
    expect([rig.port.version, rig.driver.isLegacy, rig.driver.ring?.layout]).toEqual([1, true, "split"]);
    // The second time page numbers are 0 again after the reset.
    await echoesTwice(rig);
  });

  it("stops a queue with page 0", async () => {
    const rig = await start(await pair(mmioWire({ version: 1 }), echo(), ["VERSION_1"], options));
    expect([await rig.port.queueReady(0), rig.device.queueReady(0)]).toEqual([true, true]);
    await rig.port.disableQueue(0);
    expect([await rig.port.queueReady(0), rig.device.queueReady(0), rig.codes]).toEqual([false, false, []]);
  });
});
