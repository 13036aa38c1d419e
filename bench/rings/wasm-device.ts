/** The ring core's device half alone: with the device inside, with one in JavaScript that reads the flat records. */
import * as abi from "../../assembly/abi";
import { type Core, loadCoreSync } from "../../src/core/core";
import { type DeviceVerbs, deviceVerbs } from "../../src/core/exports";
import { type RingAdapter, seenOf, type Workload } from "../ring";
import { areasOf, guestBytes } from "../workload";
import { type DeviceHalf, DeviceOnly, refusesAlone } from "./device-only";

const CHAIN_WORDS = abi.CHAIN_RECORD_BYTES / 4;
const FLAT_WORDS = abi.FLAT_SEGMENT_BYTES / 4;

export const WASM_DEVICE_IN_WASM: RingAdapter = {
  name: "wasm-device-in-wasm",
  refuses: refusesAlone,
  open: (workload) => new DeviceOnly(new InWasm(workload), workload),
};

export const WASM_DEVICE_FLAT: RingAdapter = {
  name: "wasm-device-flat",
  refuses: refusesAlone,
  open: (workload) => new DeviceOnly(new Flat(workload), workload),
};

class InWasm implements DeviceHalf {
  protected readonly device: DeviceVerbs;
  protected readonly batch: number;
  protected readonly q: number;
  /** All words of the memory, and where the completion and chain records lie in them. */
  protected readonly words: Uint32Array;
  protected readonly completions: number;
  protected readonly chains: number;
  protected readonly exchange: (q: number, count: number, max: number) => number;
  private readonly core: Core;

  constructor(workload: Workload) {
    const { queueSize: size, batch } = workload;
    this.core = loadCoreSync({ guestBytes: guestBytes(workload) });
    this.device = deviceVerbs(this.core.exports, "split");
    this.batch = batch;
    const { q, layout } = this.core.allocateQueue({ roles: abi.ROLE_DEVICE, maxSize: size, batch });
    this.q = q;
    const { descriptor, driver, device } = areasOf(size, 0);
    const code = this.core.exports.queueSetUp(
      q,
      abi.LAYOUT_SPLIT,
      size,
      abi.FEATURE_INDIRECT,
      0,
      descriptor,
      0,
      driver,
      0,
      device,
      0,
    );
    if (code !== 0) throw new Error(`the queue was refused: ${code}`);
    this.words = this.core.words();
    this.completions = (q + layout.deviceRecords) >>> 2;
    this.chains = this.completions + 2 * layout.batch;
    this.exchange = this.core.exports.deviceExchange;
  }

  guest(): Uint8Array {
    return this.core.bytes().subarray(this.core.translate(0, 1));
  }

  serve(): number {
    const served = this.device.run(this.q, abi.BACKEND_SINK, this.batch);
    this.device.publish(this.q);
    return served;
  }

  witness(): number {
    const guest = this.core.translate(0, 1);
    const { words } = this;
    const taken = this.device.take(this.q, this.batch);
    let seen = 0;
    for (let i = 0, chain = this.chains; i < taken; i++) {
      const readable = words[chain + 1] as number;
      const segments = readable + (words[chain + 2] as number);
      words[this.completions + 2 * i] = words[chain] as number;
      words[this.completions + 2 * i + 1] = 0;
      chain += CHAIN_WORDS;
      for (let s = 0; s < segments; s++, chain += 2) {
        seen += seenOf((words[chain] as number) - guest, words[chain + 1] as number, s >= readable);
      }
    }
    this.device.completeBatch(this.q, taken);
    this.device.publish(this.q);
    return seen >>> 0;
  }
}

class Flat extends InWasm {
  /** Bytes that the device was given: what a device in JavaScript looks at first. */
  bytes = 0;

  override serve(): number {
    const { words, batch, q } = this;
    const taken = this.device.takeFlat(q, batch);
    let bytes = 0;
    for (let at = this.chains; words[at + 2] !== 0; at += FLAT_WORDS) bytes += words[at + 1] as number;
    this.bytes = bytes;
    return this.exchange(q, taken, 0) < 0 ? 0 : taken;
  }
}
