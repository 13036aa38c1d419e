// A device that is in no specification: it answers text in capitals and counts in its configuration how often.
// A model says what is special about it; status, negotiation, rings and notifications come from VirtioDevice.
// Run: npm run build && node examples/custom-device.mjs
import { GuestAllocator, loadCore, VirtioDevice, VirtioDriver } from "virtq";
import { Loopback } from "virtq/transport";

let answered = 0;
const fields = [{ name: "answered", offset: 0, bytes: 4, anyOf: [], value: () => answered }];
const shouter = {
  name: "shouter",
  deviceId: 0,
  queues: [{ name: "textq", maxSize: 64 }],
  offers: [],
  config: fields,
  process(_index, queue, budget) {
    const taken = queue.take(budget);
    for (let i = 0; i < taken; i++) {
      const chain = queue.chain(i);
      const text = new Uint8Array(chain.readableBytes);
      chain.reader().read(text);
      const answer = new TextEncoder().encode(new TextDecoder().decode(text).toUpperCase());
      const writer = chain.writer();
      writer.write(answer.subarray(0, writer.remaining));
      queue.complete(chain.token, writer.written);
      answered++;
    }
    return taken;
  },
};

const core = await loadCore();
const allocator = new GuestAllocator(core);
const device = new VirtioDevice(core, shouter);
const driver = new VirtioDriver({
  port: new Loopback(device),
  core,
  allocator,
  supports: ["VERSION_1", "RING_PACKED", "IN_ORDER"],
  configLayout: fields.map((field) => ({ ...field, writable: false })),
});
const result = await driver.initialize();
console.log(result.ok ? `${result.ring.layout}: ${result.negotiated}` : result.reason);

const [queue] = driver.queues;
const buffer = allocator.allocate(64);
for (const text of ["hello, device", "a longer text than the device may answer"]) {
  const bytes = new TextEncoder().encode(text);
  core.view(buffer, bytes.length).set(bytes);
  const answer = allocator.allocate(16);
  queue.add([{ address: buffer, length: bytes.length }], [{ address: answer, length: 16 }]);
  await driver.kick(0);
  device.process();
  for (const { length } of queue.usedBuffers()) {
    console.log(`${length} bytes: ${new TextDecoder().decode(core.view(answer, length))}`);
  }
}
console.log(`answered: ${await driver.readConfigField("answered")}`);
