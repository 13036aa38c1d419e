// Two machines on one cable: each has a memory, a network device and a driver of its own; a frame goes over and back.
// The second machine takes it in buffers of 1 KiB, so that MRG_RXBUF has something to merge.
// Run: npm run build && node examples/net.mjs
import { GuestAllocator, loadCore, VirtioDevice, VirtioDriver } from "virtq";
import { joinWires, NET_DRIVER_FEATURES, NetDriver, NetModel, netValidate } from "virtq/models";
import { Loopback } from "virtq/transport";

async function machine(mac, ring, options) {
  const core = await loadCore();
  const allocator = new GuestAllocator(core);
  const model = new NetModel({ mac, mtu: 9000 });
  const device = new VirtioDevice(core, model);
  const driver = new VirtioDriver({
    port: new Loopback(device),
    core,
    allocator,
    supports: [...NET_DRIVER_FEATURES, "VERSION_1", ...ring],
    validate: netValidate,
  });
  const result = await driver.initialize();
  if (!result.ok) throw new Error(result.reason);
  console.log(`${mac}: ${result.ring.layout}, ${result.negotiated.toString("net")}`);
  return { model, device, net: await NetDriver.start(driver, core, allocator, options) };
}

const left = await machine("52:54:00:00:00:01", []);
const right = await machine("52:54:00:00:00:02", ["RING_PACKED"], { bufferBytes: 1024 });
joinWires(left.model, right.model);

const frame = new Uint8Array(9014).fill(0x2a);
frame.set([...right.net.mac, ...left.net.mac, 0x88, 0xb5]); // to, from, an EtherType for experiments
left.net.send(frame);
await left.net.submit();
left.device.process();
right.device.process();
right.net.poll((bytes) => {
  console.log(`right got ${bytes.length} bytes, the same: ${bytes.every((byte, i) => byte === frame[i])}`);
  right.net.send(bytes.subarray(0, 60));
});
await right.net.submit();
right.device.process();
left.device.process();
left.net.poll((bytes) => console.log(`left got ${bytes.length} bytes`));
console.log(`left sent ${left.model.counters.transmitted}, received ${left.model.counters.received}`);
