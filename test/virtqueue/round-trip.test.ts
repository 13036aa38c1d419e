/** Driver half and device half of the core against each other, through the public classes. */
import { describe, expect, it } from "vitest";
import { rig } from "./queue-rig";

const BASES = { split: [0, 65530], packed: [0x80008000, 0x00030003] } as const;

describe.each(["split", "packed"] as const)("%s", (layout) => {
  describe.each([{}, { eventIdx: true }, { inOrder: true }, { eventIdx: true, inOrder: true }])(
    "%j",
    (features) => {
      it.each(BASES[layout])("echoes 1000 chains of 1…4 segments from position %i", (base) => {
        for (const indirect of [false, true]) {
          const { core, allocator, driver, device } = rig(layout, { features: { ...features, indirect } });
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
