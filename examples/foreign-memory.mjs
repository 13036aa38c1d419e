// A block device for somebody else's guest: the memory is an emulator's, guest RAM begins in the middle of it, and
// the emulator lets it grow while the device runs. Run: npm run build && node examples/foreign-memory.mjs
import { loadCore, stateBytes, VirtioDevice } from "virtq";
import { BlkModel, MemoryBackend } from "virtq/models";

// The emulator's: 4 MiB, of which guest RAM is 1 MiB from a multiple of 16 that is no page's begin.
const memory = new WebAssembly.Memory({ initial: 64, maximum: 128 });
const base = 0x50010;
const size = 0x100000;
const state = { base: 0x200000, size: stateBytes({ queues: 1, maxQueueSize: 8, batch: 8 }) };
new Uint8Array(memory.buffer).fill(0xc5);
new Uint8Array(memory.buffer, base, size).fill(0);

const core = await loadCore({ memory, regions: [{ gpa: 0, base, size }], state });
const disk = new MemoryBackend(new TextEncoder().encode("a sector of text ".repeat(64)).slice(0, 1024));
let interrupts = 0;
const device = new VirtioDevice(core, new BlkModel(disk, { queueSize: 8 }), {
  offer: ["VERSION_1"],
  batch: 8,
  onInterrupt: () => interrupts++,
});

// The guest's: a driver of a few lines that pokes a split ring of 8 into its RAM, as its own code would.
const guest = () => new DataView(memory.buffer, base, size);
const [desc, avail, used, header, data, status] = [0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000];
device.writeStatus(1);
device.writeStatus(3);
device.writeFeatures(1, 1); // VERSION_1
device.writeStatus(11);
device.enableQueue(0, { size: 8, areas: { descriptor: desc, driver: avail, device: used } });
device.writeStatus(15);

function readSector(sector) {
  const ram = guest();
  ram.setUint32(header, 0, true); // VIRTIO_BLK_T_IN
  ram.setUint32(header + 8, sector, true);
  [
    [header, 16, 1],
    [data, 512, 1 | 2],
    [status, 1, 2],
  ].forEach(([address, length, flags], i) => {
    ram.setUint32(desc + 16 * i, address, true);
    ram.setUint32(desc + 16 * i + 8, length, true);
    ram.setUint16(desc + 16 * i + 12, flags, true);
    ram.setUint16(desc + 16 * i + 14, i + 1, true);
  });
  const idx = ram.getUint16(avail + 2, true);
  ram.setUint16(avail + 4 + 2 * (idx % 8), 0, true);
  ram.setUint16(avail + 2, idx + 1, true);
  device.notify(0);
  device.process();
  const result = guest().getUint8(status);
  const text = new TextDecoder().decode(new Uint8Array(memory.buffer, base + data, 16));
  console.log(`sector ${sector}: status ${result}, ${result === 0 ? `"${text}"` : "no such sector"}`);
}

console.log(`guest RAM at ${base}: ${base % 16} past a multiple of 16, ${base % 65536} past a page`);
readSector(0);
memory.grow(32);
console.log(`the memory grew to ${memory.buffer.byteLength} bytes`);
readSector(1);
readSector(2);

const bytes = new Uint8Array(memory.buffer, 0, 64 * 65536);
const isOurs = (i) => (i >= base && i < base + size) || (i >= state.base && i < state.base + state.size);
const touched = bytes.findIndex((byte, i) => byte !== 0xc5 && !isOurs(i));
console.log(
  `${interrupts} interrupts; around guest RAM ${touched < 0 ? "nothing was touched" : `byte ${touched} changed`}`,
);
