/** Driver half and device half of the core against each other, through the public classes. */
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { DeviceQueue } from "../../src/virtqueue/device-queue";
import { DriverQueue } from "../../src/virtqueue/driver-queue";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { type RingLayout, ringAreas } from "../../src/virtqueue/layout";

const core = loadCoreSync({ guestBytes: 1 << 20 });

function ringOf(layout: "split" | "packed", features: Partial<RingLayout> = {}): RingLayout {
  return {
    layout,
    eventIdx: false,
    indirect: false,
    inOrder: false,
    notificationData: false,
    notifyOnEmpty: false,
    reason: "test",
    ...features,
  };
}

function pair(ring: RingLayout, size: number) {
  const allocator = new GuestAllocator(core);
  const needs = ringAreas(ring.layout, size);
  const areas = {
    descriptor: allocator.allocate(needs.descriptor.bytes, needs.descriptor.align),
    driver: allocator.allocate(needs.driver.bytes, needs.driver.align),
    device: allocator.allocate(needs.device.bytes, needs.device.align),
  };
  const indirect = ring.indirect ? { tables: allocator.allocate(size * 8 * 16), entries: 8 } : undefined;
  const driver = new DriverQueue(core, { index: 0, ring, size, areas, ...(indirect ? { indirect } : {}) });
  const device = new DeviceQueue(core, { index: 0, ring, size, areas });
  return { allocator, driver, device };
}

const BASES = { split: [0, 65530], packed: [0x80008000, 0x00030003] } as const;

describe.each(["split", "packed"] as const)("%s", (layout) => {
  describe.each([{}, { eventIdx: true }, { inOrder: true }, { eventIdx: true, inOrder: true }])(
    "%j",
    (features) => {
      it.each(BASES[layout])("echoes 1000 chains of 1…4 segments from position %i", (base) => {
        for (const indirect of [false, true]) {
          const { allocator, driver, device } = pair(ringOf(layout, { ...features, indirect }), 8);
          driver.startAt(base);
          device.startAt(base);
          const buffers = Array.from({ length: 8 }, () => allocator.allocate(64));
          const waiting = new Map<number, { out: number; back: number; text: number }>();
          let sent = 0;
          let received = 0;
          while (received < 1000) {
            while (sent < 1000) {
              const out = buffers[sent % 8] ?? 0;
              const half = { address: out, length: 8 };
              const rest = { address: out + 8, length: 8 };
              const readable = sent % 3 ? [half] : [half, rest];
              const writable = [{ address: out + 32, length: 16 }];
              if (waiting.size >= 8) break;
              const token = driver.add(readable, writable, { indirect });
              if (!token) break;
              core.view(out, 16).fill(sent & 0xff);
              waiting.set(token, { out, back: readable.length * 8, text: sent & 0xff });
              sent++;
            }
            driver.publish();
            device.run("echo", 100);
            device.publish();
            const n = driver.takeUsed();
            expect(n).toBeGreaterThan(0);
            for (let i = 0; i < n; i++) {
              const chain = waiting.get(driver.used.token(i));
              expect(chain, `token ${driver.used.token(i)}`).toBeDefined();
              if (!chain) continue;
              expect(driver.used.length(i)).toBe(chain.back);
              expect(core.view(chain.out + 32, chain.back).every((byte) => byte === chain.text)).toBe(true);
              waiting.delete(driver.used.token(i));
              received++;
            }
          }
          expect(driver.error).toBeUndefined();
          expect(device.error).toBeUndefined();
          expect(driver.free).toBe(8);
          driver.dispose();
          device.dispose();
        }
      });
    },
  );
});
