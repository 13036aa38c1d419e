/** The queue class of npm's v86, as shipped, on the memory of its own processor, which never runs. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { V86Cpu, V86StockDevice, V86VirtQueue } from "../../src/adapters/v86/emulator";
import { V86_VERSION } from "../../src/adapters/v86/hooks";
import { NotMeasured, type RingAdapter, type Workload } from "../ring";
import { DeviceOnly, refusesAlone } from "../rings/device-only";
import { ObjectDevice } from "../rings/object-device";

/** VIRTIO_F_INDIRECT_DESC alone: v86 tells the queue what was negotiated through words. */
const INDIRECT = 1 << 28;
const MEMORY_BYTES = 2 * 1024 * 1024;

/** What of v86 is needed here. */
interface Emulator {
  readonly v86: { readonly cpu: V86Cpu };
  add_listener(event: string, listener: () => void): void;
  destroy(): Promise<void>;
}
type QueueClass = new (
  cpu: V86Cpu,
  virtio: V86StockDevice["virtio"],
  options: { size_supported: number; notify_offset: number },
) => V86VirtQueue;

export const V86_RING: RingAdapter = { name: "v86", refuses: refusesAlone, open };

async function open(workload: Workload): Promise<DeviceOnly> {
  const emulator = await start();
  const { cpu } = emulator.v86;
  const device = cpu.devices.virtio_9p as V86StockDevice | undefined;
  const stock = device?.virtio.queues[0];
  if (device === undefined || stock === undefined) {
    throw new NotMeasured(`this v86 has no virtio queue where ${V86_VERSION} has one`);
  }
  const Queue = stock.constructor as QueueClass;
  device.virtio.driver_feature.set([INDIRECT, 1, 0, 0]);
  const queue = new Queue(cpu, device.virtio, { size_supported: workload.queueSize, notify_offset: 0 });
  const guest = () => new Uint8Array(cpu.wasm_memory.buffer, cpu.mem8.byteOffset, cpu.memory_size[0]);
  const half = new ObjectDevice(queue, guest, workload);
  return new DeviceOnly(Object.assign(half, { close: () => void emulator.destroy() }), workload);
}

/** v86 of the folder that the benchmark is started in, or of the package's own. */
async function start(): Promise<Emulator> {
  const found = resolveV86();
  const { V86 } = (await import(pathToFileURL(found.module).href)) as {
    V86: new (options: object) => Emulator;
  };
  const emulator = new V86({
    wasm_path: found.wasm,
    memory_size: MEMORY_BYTES,
    autostart: false,
    disable_speaker: true,
    filesystem: {},
  });
  await new Promise<void>((resolve) => emulator.add_listener("emulator-ready", resolve));
  return emulator;
}

function resolveV86(): { module: string; wasm: string } {
  for (const from of [join(process.cwd(), "noname.js"), import.meta.url]) {
    try {
      const wasm = createRequire(from).resolve("v86/build/v86.wasm");
      return { module: wasm.replace(/v86\.wasm$/, "libv86.mjs"), wasm };
    } catch {
      // not from there
    }
  }
  throw new NotMeasured("the package v86 is not installed");
}
