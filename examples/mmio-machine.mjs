// A machine with two virtio-mmio devices on one core, as an emulator runs it: devices get their share between slices of
// guest code, the memory grows, a guest does wrong, and the machine is saved and goes on elsewhere. The guest is virtq's
// own driver half: it has nothing but loads and stores. docs/embedding.md explains the parts.
// Run: npm run build && node examples/mmio-machine.mjs
import { GuestAllocator, loadCore, stateBytes, VirtioDevice, VirtioDriver } from "virtq";
import { BLK_DRIVER_FEATURES, BlkDriver, BlkModel, MemoryBackend, RngDriver, RngModel } from "virtq/models";
import { MmioPort, MmioTransport } from "virtq/transport";

const RAM = { gpa: 0x8000_0000, base: 0x10000, size: 1 << 20 };
const STATE = { base: 0x200000, size: stateBytes({ queues: 2, maxQueueSize: 256 }) };
const ELSEWHERE = { base: 0x300000, size: STATE.size };
const [DISK, RNG, WINDOW] = [0x1000_0000, 0x1000_1000, 0x1000];
const disk = new MemoryBackend(new TextEncoder().encode("a sector of text ".repeat(64)).slice(0, 1024));
const source = (bytes) => void bytes.fill(0x2a); // of an entropy that can be printed

class Machine {
  windows = [];
  lines = 0; // of the interrupt controller, a bit each

  static async boot(memory, state) {
    const machine = new Machine();
    const core = await loadCore({ memory, regions: [RAM], state });
    for (const model of [new BlkModel(disk), new RngModel(source)]) {
      const bit = 1 << machine.windows.length;
      const device = new VirtioDevice(core, model, {
        onViolation: ({ code, message }) => console.log(`${model.name}: ${code}: ${message}`),
      });
      const onInterrupt = (level) => {
        machine.lines = level ? machine.lines | bit : machine.lines & ~bit;
      };
      machine.windows.push(new MmioTransport(device, { onInterrupt }));
    }
    return machine;
  }

  load = (address, width) => this.#at(address).read(address % WINDOW, width);
  store = (address, value, width) => this.#at(address).write(address % WINDOW, value, width);
  #at = (address) => this.windows[Math.floor((address - DISK) / WINDOW)];

  /** What the main loop does between two slices of guest code: at most 16 chains of each device. */
  turn() {
    for (const { device } of this.windows) device.process(16);
  }
}

const memory = new WebAssembly.Memory({ initial: 64 });
let machine = await Machine.boot(memory, STATE);

// The guest.
const core = await loadCore({ memory, regions: [RAM], state: { base: 0x280000, size: STATE.size } });
const allocator = new GuestAllocator(core);
async function probe(base, supports) {
  const port = await MmioPort.open({
    read: (offset, width) => machine.load(base + offset, width),
    write: (offset, width, value) => machine.store(base + offset, value, width),
  });
  const driver = new VirtioDriver({ port, core, allocator, supports });
  const { ring } = await driver.initialize();
  console.log(`device ${port.deviceId} at 0x${base.toString(16)}: ${ring.layout}`);
  return { port, driver };
}
const first = await probe(DISK, ["VERSION_1", "RING_PACKED", ...BLK_DRIVER_FEATURES]);
const second = await probe(RNG, ["VERSION_1"]);
const blk = await BlkDriver.start(first.driver, core, allocator);
const rng = new RngDriver(second.driver, core, allocator);
const buffer = allocator.allocate(512);
const text = () => new TextDecoder().decode(core.view(buffer, 16));

blk.read(1, buffer, 512);
rng.request(8);
await blk.submit();
await rng.submit();
console.log(`before the devices' turn: lines ${machine.lines}`);
machine.turn();
console.log(`after it: lines ${machine.lines}`);
for (const { port } of [first, second]) await port.handleInterrupt();
blk.poll((_token, status) => console.log(`status ${status}: "${text()}"`));
rng.poll((_token, random) => console.log(`random bytes: ${random.join(" ")}`));
console.log(`acknowledged: lines ${machine.lines}`);

machine.store(DISK, 1, 4);
console.log(`a load of 8 bytes gives ${machine.load(RNG + 0x70, 8)}`);

memory.grow(16);
blk.read(0, buffer, 512);
await blk.submit();
const image = JSON.stringify(machine.windows.map((window) => window.save()));
machine = await Machine.boot(memory, ELSEWHERE);
for (const [i, saved] of JSON.parse(image).entries()) machine.windows[i].restore(saved);
machine.turn();
blk.poll((_token, status) => console.log(`elsewhere, status ${status}: "${text()}"`));
