// Random bytes for a guest, over a packed ring: the entropy device (§5.4), once with a source that a test can repeat
// and once with the platform's. The device may give fewer bytes than there is room for; the used length says how many.
// Run: npm run build && node examples/rng.mjs
import { GuestAllocator, loadCore, VirtioDevice, VirtioDriver } from "virtq";
import { RngDriver, RngModel } from "virtq/models";
import { Loopback } from "virtq/transport";

async function open(model) {
  const core = await loadCore();
  const allocator = new GuestAllocator(core);
  const device = new VirtioDevice(core, model);
  const driver = new VirtioDriver({
    port: new Loopback(device),
    core,
    allocator,
    supports: ["VERSION_1", "RING_PACKED"],
  });
  const result = await driver.initialize();
  if (!result.ok) throw new Error(result.reason);
  return { device, rng: new RngDriver(driver, core, allocator) };
}

/** The next state of xorshift32 for each byte: the same ones in every run. */
let state = 2463534242;
async function repeatable(bytes) {
  for (let i = 0; i < bytes.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
}

const test = await open(new RngModel(repeatable, { mostBytes: 8 }));
test.rng.request(6);
test.rng.request(32);
await test.rng.submit();
test.device.process();
await test.device.idle(); // the source answers by Promise
test.rng.poll((_token, bytes) => {
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  console.log(`${bytes.length} bytes: ${text}`);
});

const real = await open(new RngModel());
for (let i = 0; i < 2; i++) real.rng.request(16);
await real.rng.submit();
real.device.process();
const seen = [];
real.rng.poll((_token, bytes) => seen.push(bytes.join()));
console.log(`${seen.length} requests to the platform, ${new Set(seen).size} different answers`);
