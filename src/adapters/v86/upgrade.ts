/**
 * Gives v86's own virtio devices the rings of virtq: packed rings, indirect descriptors and event indices for the net,
 * console, balloon and 9p devices, with v86 and its device models as they are.
 */
import { VirtioError } from "../../errors";
import { type ControlEvent, hex } from "../../negotiation/control-event";
import { FeatureSet } from "../../negotiation/feature-set";
import {
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_RING_PACKED,
} from "../../spec/features";
import { type UpgradedDevice, UpgradedVirtio } from "./device";
import type { V86Cpu, V86StockDevice } from "./emulator";
import { STOCK_DEVICES, type StockDevice, stockDevice, v86Cpu } from "./hooks";
import { jitObserver, loadV86Core, stateOf } from "./memory";
import { UPGRADED_BATCH, UpgradedQueue } from "./queue";

/** How to upgrade. */
export interface UpgradeOptions {
  /** Which devices; default: all that the emulator was made with. */
  readonly devices?: readonly StockDevice[];
  /**
   * Features to offer besides v86's: of RING_PACKED, INDIRECT_DESC, EVENT_IDX and IN_ORDER, by name or bit. Default:
   * the first three. What a ring looks like follows from what the guest then negotiates.
   */
  readonly offer?: Iterable<string | number>;
  /** Hears of every breach of the guest; after those of a ring, its device shows DEVICE_NEEDS_RESET. */
  readonly onViolation?: (error: VirtioError, device: StockDevice) => void;
  /**
   * Hears of every access to a register, each with its `access`, and of notifications to the driver, but on a live device
   * not of available and used buffers: what `virtq/conformance` judges by.
   */
  readonly onEvent?: (event: ControlEvent, device: StockDevice) => void;
}

const RING_FEATURES = FeatureSet.of(
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
);
const DEFAULT_OFFER = RING_FEATURES.without(VIRTIO_F_IN_ORDER);

/**
 * Upgrades v86's devices, before the guest uses them: between the "emulator-ready" event and `run()`. v86's snapshots
 * carry the rings from then on; a snapshot of a device in use that was made without the upgrade sets DEVICE_NEEDS_RESET.
 *
 * @param emulator a `V86` made with `autostart: false`
 * @returns the upgraded devices, in the order of the options
 * @throws VirtioError EMULATOR_UNSUPPORTED naming what this v86 lacks, DEVICE_ABSENT for a device that the emulator
 *   was made without, DEVICE_BUSY for one that the guest uses or that was upgraded before, BAD_ARGUMENT for an offer
 *   of other features
 */
export async function upgrade(emulator: object, options: UpgradeOptions = {}): Promise<UpgradedDevice[]> {
  const cpu = v86Cpu(emulator);
  const offer = ringOffer(options.offer);
  const found = chosen(cpu, options.devices).map(({ type, stock }) => ({ type, stock: idle(stock) }));
  const onTouched = jitObserver(cpu);
  const devices: UpgradedDevice[] = [];
  for (const { type, stock } of found) {
    const sizes = stock.virtio.queues.map(({ size_supported }) => size_supported);
    const core = await loadV86Core(cpu, stateOf(sizes, UPGRADED_BATCH));
    const onViolation = (error: VirtioError) => options.onViolation?.(error, type);
    const { onEvent: hear } = options;
    const onEvent = hear && ((event: ControlEvent) => hear(event, type));
    devices.push(new UpgradedVirtio({ type, stock, core, offer, onTouched, onViolation, onEvent }));
  }
  return devices;
}

function ringOffer(wanted: UpgradeOptions["offer"]): FeatureSet {
  const offer = wanted === undefined ? DEFAULT_OFFER : FeatureSet.from(wanted);
  const others = offer.minus(RING_FEATURES);
  if (others.isEmpty) return offer;
  throw new VirtioError("BAD_ARGUMENT", `${others} can't be offered: rings bring ${RING_FEATURES}`);
}

interface Found {
  readonly type: StockDevice;
  readonly stock: V86StockDevice;
}

function chosen(cpu: V86Cpu, wanted: UpgradeOptions["devices"]): Found[] {
  const types = wanted ?? (Object.keys(STOCK_DEVICES) as StockDevice[]);
  const found = types.flatMap((type): Found[] => {
    const stock = stockDevice(cpu, type);
    return stock === undefined ? [] : [{ type, stock }];
  });
  const missing = types.filter((type) => !found.some((device) => device.type === type));
  if (missing.length > 0 && (wanted !== undefined || found.length === 0)) {
    throw new VirtioError("DEVICE_ABSENT", `the emulator was made without ${missing.join(", ")}`);
  }
  return found;
}

/** @throws VirtioError DEVICE_BUSY */
function idle(stock: V86StockDevice): V86StockDevice {
  const { name, device_status: status, queues } = stock.virtio;
  if (queues.some((queue) => queue instanceof UpgradedQueue)) {
    throw new VirtioError("DEVICE_BUSY", `${name} has been upgraded already`);
  }
  if (status === 0) return stock;
  throw new VirtioError(
    "DEVICE_BUSY",
    `${name} is in use (status ${hex(status)}): upgrade it before the guest runs`,
  );
}
