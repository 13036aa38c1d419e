/** What a driver and a device do together over any transport of registers, whole or a queue at a time. */
import { describe, expect, it } from "vitest";
import type { DeviceModel } from "../../src/device/model";
import { BLK_DRIVER_FEATURES, BlkDriver } from "../../src/driver/blk";
import type { TransportPort } from "../../src/driver/port";
import { BlkModel } from "../../src/models/blk";
import { MemoryBackend } from "../../src/models/memory-backend";
import { VIRTIO_BLK_S_OK } from "../../src/spec/blk";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { TestModel } from "../control-rig";
import { BUSES, echo, echoes, type PairOptions, pair, start, turn, type Wire } from "./port-pair";

const RINGS = [
  ["split", ["VERSION_1"]],
  ["split, NOTIFICATION_DATA", ["VERSION_1", "NOTIFICATION_DATA", "EVENT_IDX"]],
  ["packed", ["VERSION_1", "RING_PACKED", "EVENT_IDX", "NOTIFICATION_DATA"]],
  ["packed IN_ORDER", ["VERSION_1", "RING_PACKED", "IN_ORDER"]],
  ["split IN_ORDER", ["VERSION_1", "IN_ORDER", "INDIRECT_DESC"]],
] as const;
/** Who says what the tests of a transport show. */
export interface PairClauses {
  readonly queueReset: string;
  readonly used: string;
}

/**
 * What two sides do over any transport.
 *
 * @param wire a transport whose used buffer notifications name no queue
 */
export function pairTests<Port extends TransportPort, Transport>(
  wire: Wire<Port, Transport>,
  clauses: PairClauses,
): void {
  const made = (model: DeviceModel, supports: readonly string[], options: PairOptions) =>
    pair(wire, model, supports, options);
  describe.each(RINGS.flatMap(([name, ring]) => BUSES.map((when) => [name, when, ring] as const)))(
    "%s, a bus that answers %s",
    (_, when, ring) => {
      const later = when === "later";

      it("an echo comes back through the interrupt, and nobody breaks a MUST", async () => {
        const rig = await start(await made(echo(), ring, { later }));
        await echoes(rig, 12);
        expect([rig.findings(), rig.codes, rig.count() > 0]).toEqual([[], [], true]);
        expect(rig.driver.negotiated?.names()).toEqual(expect.arrayContaining([...ring]));
        await rig.driver.reset();
        expect([rig.device.status, rig.isRaised(), rig.findings()]).toEqual([0, false, []]);
      });

      it("a disk is read and written, whole requests at a time", async () => {
        const disk = Uint8Array.from({ length: 64 * 512 }, (_unused, i) => (i * 31) >>> 3);
        const before = disk.slice();
        const model = new BlkModel(new MemoryBackend(disk), { queueSize: 16 });
        const supports = [...BLK_DRIVER_FEATURES, ...ring];
        const rig = await start(await made(model, supports, { later, driver: { indirect: 3 } }));
        const allocator = new GuestAllocator(rig.core, { gpa: 0x80000, size: 0x20000 });
        const blk = await BlkDriver.start(rig.driver, rig.core, allocator);
        const [from, to] = [allocator.allocate(512 * 4), allocator.allocate(512 * 4)];
        const results: number[] = [];
        const finish = async (wanted: number) => {
          await blk.submit();
          for (let turns = 0; turns < 200 && results.length < wanted; turns++) {
            await turn();
            blk.poll((_token, status) => results.push(status));
          }
          expect(results.splice(0)).toEqual(Array(wanted).fill(VIRTIO_BLK_S_OK));
        };
        expect(blk.capacity).toBe(64);
        for (let i = 0; i < 4; i++) blk.read(3 * i, from + 512 * i, 512);
        await finish(4);
        for (let i = 0; i < 4; i++) {
          expect(rig.core.view(from + 512 * i, 512)).toEqual(before.slice(3 * i * 512, (3 * i + 1) * 512));
        }
        blk.write(40, from, 512 * 4);
        await finish(1);
        blk.read(40, to, 512 * 4);
        await finish(1);
        expect(rig.core.view(to, 2048)).toEqual(rig.core.view(from, 2048));
        expect(disk.slice(40 * 512, 41 * 512)).toEqual(before.slice(0, 512));
        expect([rig.findings(), rig.codes]).toEqual([[], []]);
      });

      it("suspends, resumes and goes on", async () => {
        const rig = await start(await made(echo(), [...ring, "SUSPEND"], { later }));
        for (let i = 0; i < 3; i++) {
          await echoes(rig, 2);
          await rig.driver.suspend();
          expect([rig.device.phase, await rig.port.readStatus()]).toEqual([
            "suspended",
            rig.driver.lastStatus,
          ]);
          expect(() => rig.driver.kick(0)).toThrow(expect.objectContaining({ code: "STATUS_SEQUENCE" }));
          await rig.driver.resume();
        }
        await echoes(rig, 2);
        expect([rig.findings(), rig.codes]).toEqual([[], []]);
      });

      it(`${clauses.queueReset} a queue is reset and goes on with another size`, async () => {
        const rig = await start(await made(echo(), [...ring, "RING_RESET"], { later }));
        for (const queueSize of [8, 64, 4]) {
          await echoes(rig, 3);
          expect(await rig.driver.resetQueue(0, { queueSize })).toEqual([]);
          expect([rig.driver.queues[0]?.size, rig.device.queueReady(0)]).toEqual([queueSize, true]);
        }
        await echoes(rig, 3);
        expect([rig.findings(), rig.codes]).toEqual([[], []]);
      });
    },
  );

  describe.each(BUSES)("two queues, a bus that answers %s", (when) => {
    const later = when === "later";
    const fields = [{ name: "mode", offset: 0, bytes: 4, anyOf: [], writable: true, value: 3 }] as const;
    const layout = [{ ...fields[0], writable: "after-features-ok" }] as const;
    const model = () =>
      new TestModel({
        deviceId: 63,
        config: fields,
        queues: ["a", "b"].map((name) => ({ name, maxSize: 8 })),
      });

    it(`${clauses.used} a used notification is one for each queue`, async () => {
      const rig = await start(await made(model(), ["VERSION_1"], { later }));
      const [, second] = rig.driver.queues;
      second?.add([{ address: 0x80000, length: 16 }]);
      await rig.driver.kick(1);
      for (let turns = 0; turns < 50 && rig.used.length === 0; turns++) await turn();
      expect([rig.used, second?.hasUsed(), rig.isRaised()]).toEqual([[0, 1], true, false]);
      expect(rig.findings()).toEqual([]);
    });

    it("a changed configuration interrupts once, and is read in one version", async () => {
      const rig = await start(
        await made(model(), ["VERSION_1"], { later, driver: { configLayout: layout } }),
      );
      rig.device.configChanged();
      for (let turns = 0; turns < 50 && rig.changes.count === 0; turns++) await turn();
      await rig.driver.writeConfigField("mode", 9);
      expect([await rig.driver.readConfigField("mode"), rig.changes.count, rig.used]).toEqual([9, 1, []]);
      expect([rig.findings(), rig.isRaised()]).toEqual([[], false]);
    });
  });
}
