/**
 * Finds what the adapter uses of an emulator, and names what isn't there: v86's insides are no interface of v86's, so
 * another version may lack a name. Nothing is changed here.
 */
import { VirtioError } from "../../errors";
import type { V86Cpu, V86Emulator, V86StockDevice } from "./emulator";

/** v86's own virtio devices: their device types, and v86's names of them in `cpu.devices`. */
export const STOCK_DEVICES = {
  net: "virtio_net",
  console: "virtio_console",
  balloon: "virtio_balloon",
  "9p": "virtio_9p",
} as const;

/** One of v86's own virtio devices. */
export type StockDevice = keyof typeof STOCK_DEVICES;

/** The version of npm's `v86` that the adapter was tried with. */
export const V86_VERSION = "0.5.462";

type Kind = "function" | "object" | "number" | "string";
/** Paths below an object, and what stands there. */
type Names = Readonly<Record<string, Kind>>;

const CPU: Names = {
  "io.register_read": "function",
  "io.register_write": "function",
  "devices.pci.register_device": "function",
  "devices.pci.raise_irq": "function",
  "devices.pci.lower_irq": "function",
  "mem8.byteOffset": "number",
  "memory_size.0": "number",
  "wasm_memory.buffer": "object",
  "wasm_memory.grow": "function",
  jit_dirty_cache: "function",
};

/** What attaching takes besides. */
const BUS: Names = {
  "v86.cpu.io.ports": "object",
  "v86.cpu.io.create_empty_entry": "function",
  "v86.cpu.devices.pci.devices": "object",
  "v86.cpu.devices.pci.device_spaces": "object",
  "v86.cpu.get_state": "function",
  "v86.cpu.set_state": "function",
  "v86.cpu.reboot_internal": "function",
  save_state: "function",
  restore_state: "function",
};

const VIRTIO: Names = {
  name: "string",
  queues: "object",
  device_feature_select: "number",
  driver_feature_select: "number",
  queue_select: "number",
  queue_selected: "object",
  device_feature: "object",
  driver_feature: "object",
  device_status: "number",
  raise_irq: "function",
  needs_reset: "function",
  set_state: "function",
  "pci_bars.0.entries": "object",
  "pci_bars.1.entries": "object",
};

const QUEUE: Names = {
  size: "number",
  size_supported: "number",
  notify_offset: "number",
  desc_addr: "number",
  avail_addr: "number",
  used_addr: "number",
  reset: "function",
  set_size: "function",
  is_configured: "function",
  enable: "function",
  count_requests: "function",
  has_request: "function",
  pop_request: "function",
  push_reply: "function",
  flush_replies: "function",
  notify_me_after: "function",
  get_state: "function",
  set_state: "function",
};

/**
 * The processor of an emulator, with all that the adapter uses of it.
 *
 * @param emulator a `V86` from its "emulator-ready" event on
 * @throws VirtioError EMULATOR_UNSUPPORTED naming what is missing
 */
export function v86Cpu(emulator: object): V86Cpu {
  const cpu = at(emulator, "v86.cpu");
  if (typeof cpu !== "object" || cpu === null) throw unsupported(["v86.cpu"]);
  require(cpu, "v86.cpu.", CPU);
  return cpu as V86Cpu;
}

/**
 * An emulator with all that devices on its PCI bus need.
 *
 * @param emulator a `V86` from its "emulator-ready" event on
 * @throws VirtioError EMULATOR_UNSUPPORTED naming what is missing
 */
export function v86Emulator(emulator: object): V86Emulator {
  v86Cpu(emulator);
  require(emulator, "", BUS);
  return emulator as V86Emulator;
}

/**
 * One of v86's own virtio devices.
 *
 * @returns undefined if the emulator was made without it
 * @throws VirtioError EMULATOR_UNSUPPORTED naming what is missing
 */
export function stockDevice(cpu: V86Cpu, type: StockDevice): V86StockDevice | undefined {
  const key = STOCK_DEVICES[type];
  const device = cpu.devices[key];
  if (device === undefined) return undefined;
  const path = `v86.cpu.devices.${key}.virtio.`;
  const virtio = at(device as object, "virtio");
  if (typeof virtio !== "object" || virtio === null) throw unsupported([path.slice(0, -1)]);
  require(virtio, path, VIRTIO);
  const { queues } = (device as V86StockDevice).virtio;
  queues.forEach((queue, i) => {
    require(queue, `${path}queues.${i}.`, QUEUE);
  });
  return device as V86StockDevice;
}

/** @throws VirtioError EMULATOR_UNSUPPORTED */
function require(root: object, prefix: string, names: Names): void {
  const missing = Object.entries(names).filter(([path, kind]) => typeof at(root, path) !== kind);
  if (missing.length > 0) throw unsupported(missing.map(([path]) => prefix + path));
}

function at(root: object, path: string): unknown {
  let value: unknown = root;
  for (const name of path.split(".")) {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function unsupported(paths: readonly string[]): VirtioError {
  return new VirtioError(
    "EMULATOR_UNSUPPORTED",
    `the emulator lacks ${paths.join(", ")}: the adapter was tried with v86 ${V86_VERSION}, ` +
      'and what it uses is there from the "emulator-ready" event on',
  );
}
