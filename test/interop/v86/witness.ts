/**
 * What a guest does to devices of ours or of v86's, judged as it happens, and by whom: SeaBIOS and Linux use the same devices one after the
 * other, and where the processor is tells them apart.
 */
import type { Finding } from "../../../src/conformance/finding";
import { Judge } from "../../../src/conformance/judge";
import type { ControlEvent, EventSink, RegisterAccess } from "../../../src/negotiation/control-event";
import type { FeatureSet } from "../../../src/negotiation/feature-set";
import type { DeviceType } from "../../../src/negotiation/feature-table";

/** Who made a device. */
export type Maker = "virtq" | "v86";
/** Who had a hand in it: a maker is the device itself. */
export type Actor = "SeaBIOS" | "Linux" | Maker;

/** A finding, and what it is about. */
export interface Seen {
  readonly by: Actor;
  readonly device: DeviceType;
  /** What the device was made for: "packed", "split", "upgraded"; "legacy" for the legacy interface. */
  readonly on: string;
  readonly finding: Finding;
}

/** Where Linux's own half of the addresses begins. */
const KERNEL = 0xc0000000;

/** What the witness asks the emulator. */
export interface Processor {
  /** Linear address, in the only element. */
  readonly instruction_pointer: Int32Array;
}

/** A device to be watched. */
export interface WatchedDevice {
  readonly type: DeviceType;
  readonly ring: string;
  /** Default "virtq". */
  readonly maker?: Maker;
  /** Asked when the device has come to be. Left out, what is offered is what drivers read: an offer may change then. */
  readonly offering?: () => { readonly offered: FeatureSet };
}

/** One device under observation. */
class Watched {
  readonly type: DeviceType;
  readonly ring: string;
  readonly accesses: { readonly by: Actor; readonly access: RegisterAccess }[] = [];
  private readonly maker: Maker;
  private readonly offering: WatchedDevice["offering"];
  private judge: Judge | undefined;
  private isLegacy = false;
  private seq = 0;

  constructor({ type, ring, maker = "virtq", offering }: WatchedDevice) {
    this.type = type;
    this.ring = ring;
    this.maker = maker;
    this.offering = offering;
  }

  /** @returns what the event shows */
  take(event: ControlEvent, by: Actor): Seen[] {
    const { access } = event;
    if (access !== undefined) this.accesses.push({ by, access });
    this.judge ??= new Judge({
      deviceType: this.type,
      transport: "pci",
      ...(this.offering && { offered: this.offering().offered }),
      legacy: this.isLegacy,
    });
    return this.seen(this.judge.add({ ...event, seq: this.seq++ }), by);
  }

  /** A judge of its own for what comes. */
  begin(isLegacy: boolean, by: Actor): Seen[] {
    const left = this.seen(this.judge?.end() ?? [], by);
    this.judge = undefined;
    this.isLegacy = isLegacy;
    return left;
  }

  private seen(findings: readonly Finding[], by: Actor): Seen[] {
    const on = this.isLegacy ? "legacy" : this.ring;
    return findings.map((finding) => ({
      by: finding.side === "device" ? this.maker : by,
      device: this.type,
      on,
      finding,
    }));
  }
}

/** Watches all devices of a guest. */
export class Witness {
  readonly seen: Seen[] = [];
  private readonly watched: Watched[] = [];
  private cpu: Processor | undefined;

  /** Whose processor runs them; to be said before the guest runs. */
  attend(cpu: Processor): void {
    this.cpu = cpu;
  }

  /** What a device is to be given as `onEvent`. */
  watch(device: WatchedDevice): EventSink {
    const watched = new Watched(device);
    this.watched.push(watched);
    return (event) => this.seen.push(...watched.take(event, this.actor));
  }

  /** From here on the guest goes over the legacy interface of the devices for this ring, and over the modern one else. */
  begin(legacy?: string): void {
    for (const watched of this.watched) this.seen.push(...watched.begin(watched.ring === legacy, this.actor));
  }

  /** What somebody did to the first device of this kind, in order. */
  accesses(by: Actor, type: DeviceType, ring: string): RegisterAccess[] {
    const own = this.watched.find((one) => one.type === type && one.ring === ring)?.accesses ?? [];
    return own.filter((one) => one.by === by).map(({ access }) => access);
  }

  private get actor(): Actor {
    const [address = 0] = this.cpu?.instruction_pointer ?? [];
    return address >>> 0 >= KERNEL ? "Linux" : "SeaBIOS";
  }
}
