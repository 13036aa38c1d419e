/**
 * Runs that keep every clause: a driver that takes all its liberties and a device that answers it, as a list of
 * happenings. At each stage a breach may be put in, and the run goes on after it or starts a new life with a reset.
 */
import type { JudgeContext } from "../../../src/conformance/context";
import { CONFIG_LAYOUTS, type ConfigLayout } from "../../../src/negotiation/config-table";
import { isUsable } from "../../../src/negotiation/feature-names";
import { FeatureSet } from "../../../src/negotiation/feature-set";
import type { DeviceType } from "../../../src/negotiation/feature-table";
import { dropUnmet, missingPrerequisites } from "../../../src/negotiation/prerequisites";
import {
  accepts,
  enables,
  findsQueue,
  generation,
  type Happening,
  notice,
  notifies,
  offers,
  reads,
  ready,
  resetsQueue,
  set,
  shows,
  stops,
  writes,
} from "./accesses";
import type { Choices } from "./choices";

/** A time at which something may go wrong. */
export type Stage =
  | "start"
  | "resetting"
  | "reset"
  | "acknowledged"
  | "negotiating"
  /** The last set is accepted, FEATURES_OK comes next. */
  | "accepted"
  | "checking"
  | "refused"
  | "setup"
  | "live"
  | "suspending"
  | "suspended"
  | "resuming"
  | "failed"
  | "legacy";

/** What a run is to have, where it isn't to be left to chance. */
export interface Wishes {
  readonly type?: DeviceType | "echo";
  readonly transport?: "pci" | "mmio" | "loopback";
  /** Reserved features that are offered, and accepted if they may be. */
  readonly features?: readonly (string | number)[];
  readonly legacy?: boolean;
  /** What is to happen more often than by chance. */
  readonly often?: "suspend" | "refuse" | "fail";
  /** Changes the offer after it was made up. */
  readonly offer?: (run: GeneratedRun) => FeatureSet | undefined;
}

/** Puts something into a run at a stage; says whether it did. */
export type Injection = (stage: Stage, run: GeneratedRun) => boolean;

/** Ends the life that is going on: the driver resets the device. */
export class EndOfLife extends Error {}

/** A device type that virtq doesn't know. */
const ECHO: readonly ConfigLayout[] = [
  { name: "limit", offset: 0, bytes: 8, anyOf: [], writable: false },
  { name: "depth", offset: 8, bytes: 4, anyOf: ["bit 0"], writable: false },
  { name: "mode", offset: 12, bytes: 1, anyOf: ["bit 1", "bit 2"], writable: "after-features-ok" },
];
const TYPES: readonly (DeviceType | "echo")[] = ["net", "blk", "console", "balloon", "echo"];
const TRANSPORTS = ["loopback", "pci", "mmio"] as const;
/** Offered, these are to be accepted (§6.1). */
const WANTED = ["VERSION_1", "ACCESS_PLATFORM", "RING_PACKED", "ORDER_PLATFORM", "NOTIF_CONFIG_DATA"];
/** Bits that transitional devices show and that are no modern driver's. */
const TRANSITIONAL = [24, 27, 30];

/** One generated run. */
export class GeneratedRun {
  readonly happenings: Happening[] = [];
  readonly context: JudgeContext;
  readonly choices: Choices;
  readonly layout: readonly ConfigLayout[];
  readonly type: DeviceType | undefined;
  readonly isLegacy: boolean;
  readonly offered: FeatureSet;
  /** What the driver feature words hold. */
  accepted = FeatureSet.empty;
  status = 0;
  generation: number;
  /** Sets that the device agreed to, by their words. */
  readonly agreed = new Set<string>();
  wasLive = false;
  private readonly config = new Uint8Array(128);
  /** Bits that this device type and transport may use. */
  readonly usable: readonly number[];
  private readonly inject: Injection;
  private readonly often: Wishes["often"];

  constructor(choices: Choices, wishes: Wishes, inject: Injection) {
    this.choices = choices;
    this.often = wishes.often;
    this.inject = inject;
    this.isLegacy = wishes.legacy ?? false;
    const type = wishes.type ?? choices.pick(TYPES) ?? "net";
    this.type = type === "echo" ? undefined : type;
    this.layout = type === "echo" ? ECHO : CONFIG_LAYOUTS[type];
    const transport = wishes.transport ?? choices.pick(TRANSPORTS) ?? "pci";
    this.context = {
      transport,
      ...(this.type === undefined ? { configLayout: ECHO } : { deviceType: this.type }),
      ...(this.isLegacy ? { legacy: true } : {}),
    };
    this.usable = usableBits(this.type, transport);
    this.offered = this.makeOffer(wishes.features ?? []);
    this.offered = wishes.offer?.(this) ?? this.offered;
    if (choices.oneIn(3)) this.context = { ...this.context, offered: this.offered };
    this.config.forEach((_, i) => {
      this.config[i] = (i * 37 + 11) & 0xff;
    });
    this.generation = choices.next(256);
  }

  /** A few lives, and a reset. */
  generate(): this {
    if (this.choices.oneIn(4)) this.emit(shows(this.choices.pick([0, 0xf, 0x1b, 0x83]) ?? 0));
    this.at("start");
    const lives = 1 + this.choices.next(3);
    for (let life = 0; life < lives; life++) {
      try {
        this.live();
      } catch (error) {
        if (!(error instanceof EndOfLife)) throw error;
      }
    }
    this.reset();
    return this;
  }

  emit(...happenings: readonly Happening[]): void {
    this.happenings.push(...happenings);
  }

  /** Ends this life: what follows is a reset. */
  stop(): never {
    throw new EndOfLife();
  }

  /** Writes a set word by word, and the high words only if they hold or held a bit. */
  accept(wanted: FeatureSet): void {
    const high = [2, 3].filter((word) => wanted.word(word) !== 0 || this.accepted.word(word) !== 0);
    const order = this.choices.next(2) === 0 ? [0, 1] : [1, 0];
    for (const word of [...high, ...order]) this.emit(accepts(word, wanted.word(word)));
    this.accepted = wanted;
  }

  /** Accepts a set and writes FEATURES_OK; the device agrees or not. */
  tryFeatures(wanted: FeatureSet, agrees: boolean): void {
    this.accept(wanted);
    this.emit(set(this.status | 8), shows(this.status | (agrees ? 8 : 0)));
    if (agrees) this.agreed.add(wanted.words.join());
  }

  /** The fields that exist, and of which the driver has accepted the feature. */
  fields(also: (field: ConfigLayout) => boolean = () => true): ConfigLayout[] {
    return this.layout.filter((field) => this.exists(field) && this.isAccepted(field) && also(field));
  }

  exists({ anyOf }: ConfigLayout): boolean {
    return anyOf.length === 0 || anyOf.some((bit) => this.offered.has(bit, this.type));
  }

  isAccepted({ anyOf }: ConfigLayout): boolean {
    return this.isLegacy || anyOf.length === 0 || anyOf.some((bit) => this.accepted.has(bit, this.type));
  }

  /** What the configuration holds, up to 4 bytes. */
  value(offset: number, bytes: number): number {
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + (this.config[offset + i] ?? 0);
    return value;
  }

  /** Changes the lowest bit of a field. */
  poke({ offset }: ConfigLayout): void {
    this.config[offset] = (this.config[offset] ?? 0) ^ 1;
  }

  /** Reads a field in pieces of at most 4 bytes. */
  readPieces({ offset, bytes }: ConfigLayout): void {
    for (let done = 0; done < bytes; ) {
      const left = bytes - done;
      const width = left >= 4 && (offset + done) % 4 === 0 ? 4 : left >= 2 ? 2 : 1;
      this.emit(reads(offset + done, width, this.value(offset + done, width)));
      done += width;
    }
  }

  /** Reads the generation. */
  readGeneration(): void {
    this.emit(generation(this.generation));
  }

  private makeOffer(wished: readonly (string | number)[]): FeatureSet {
    const { choices, type } = this;
    if (this.isLegacy) {
      const own = FeatureSet.from(choices.some(this.usable.filter((bit) => bit < 24)));
      const closed = dropUnmet(own, type);
      return choices.oneIn(2) ? closed.with("VERSION_1", 27, 30) : closed.with(...choices.some([27, 30]));
    }
    let offered = FeatureSet.from([
      ...choices.some(this.usable),
      ...choices.some(TRANSITIONAL),
      ...wished,
      "VERSION_1",
    ]);
    for (;;) {
      const missing = missingPrerequisites(offered, type, "offer").map(({ bit }) => bit);
      if (missing.length === 0) return offered;
      offered = offered.without(...missing);
    }
  }

  private at(stage: Stage): void {
    this.inject(stage, this);
  }

  private live(): void {
    this.reset();
    this.at("reset");
    this.look();
    this.addStatus(1);
    this.at("acknowledged");
    this.look();
    this.addStatus(2);
    this.readOffer();
    if (this.isLegacy) this.liveLegacy();
    else this.liveModern();
  }

  private liveModern(): void {
    this.negotiate();
    this.at("accepted");
    this.mayFail();
    this.emit(set(this.status | 8));
    this.at("checking");
    this.look();
    const key = this.accepted.words.join();
    const mayRefuse = this.often === "refuse" ? 2 : 6;
    if (!this.agreed.has(key) && this.choices.oneIn(mayRefuse)) {
      this.emit(shows(this.status));
      this.at("refused");
      if (this.choices.oneIn(2)) this.fail();
      this.stop();
    }
    this.agreed.add(key);
    this.status |= 8;
    this.emit(shows(this.status));
    this.look();
    this.setUpQueues();
    this.at("setup");
    this.writeField();
    this.mayFail();
    this.addStatus(4);
    this.wasLive = true;
    this.operate();
  }

  /** Without FEATURES_OK, and with everything at any time that used to be done early. */
  private liveLegacy(): void {
    this.accept(dropUnmet(FeatureSet.from(this.choices.some(this.legacyOffer)), this.type));
    this.at("legacy");
    this.look();
    this.writeField();
    this.setUpQueues();
    if (this.choices.oneIn(2)) this.emit(notifies(), notice("used"));
    this.addStatus(4);
    this.operate();
  }

  private get legacyOffer(): number[] {
    return this.offered.bits().filter((bit) => bit < 28);
  }

  private negotiate(): void {
    const rounds = this.choices.next(3);
    for (let round = 0; round < rounds; round++) {
      // Until FEATURES_OK nobody minds what the words hold.
      if (this.choices.oneIn(4)) this.accept(FeatureSet.fromWords([0xdeadbeef, 0x12345678, 0xff, 0]));
      else this.accept(FeatureSet.from(this.choices.some(this.offered.bits())));
      this.at("negotiating");
      this.look();
    }
    const known = this.usable.filter((bit) => this.offered.has(bit));
    const wanted = FeatureSet.from(WANTED).intersect(FeatureSet.from(known));
    const chosen = FeatureSet.from(this.choices.oneIn(3) ? known : this.choices.some(known)).union(wanted);
    this.accept(
      dropUnmet(chosen.has("SUSPEND") || !known.includes(43) ? chosen : chosen.with(43), this.type),
    );
    this.at("negotiating");
    this.look();
  }

  private operate(): void {
    const deeds = this.choices.next(8);
    this.at("live");
    for (let deed = 0; deed < deeds; deed++) {
      this.operateOnce(this.often === "suspend" && this.choices.oneIn(2) ? 7 : this.choices.next(9));
      this.at("live");
    }
  }

  private operateOnce(deed: number): void {
    if (deed === 0) this.emit(notifies(0));
    else if (deed === 1) this.emit(notice("used"));
    else if (deed === 2) {
      this.change();
      this.emit(notice("config"));
    } else if (deed === 3) this.emit(shows(this.status), set(this.status));
    else if (deed === 4) this.writeField();
    else if (deed === 5 && this.accepted.has("RING_RESET"))
      this.emit(resetsQueue(0), findsQueue(0), enables(0));
    else if (deed === 6) {
      this.emit(shows(this.status | 0x40), notice("config"), shows(this.status | 0x40), notifies(0));
      this.stop();
    } else if (deed === 7 && !this.isLegacy && this.accepted.has("SUSPEND")) this.suspend();
    else if (deed === 8) this.mayFail();
    this.look();
  }

  private suspend(): void {
    this.emit(set(0x1f));
    this.poll([0xf, 0x1f], "suspending");
    this.emit(shows(0x1b));
    this.at("suspended");
    this.look();
    if (this.choices.oneIn(4)) this.stop();
    this.emit(set(0x1f));
    this.poll([0x1b, 0x1f], "resuming");
    this.emit(shows(0xf));
    if (this.choices.oneIn(2)) this.emit(notice("config"));
  }

  /** Reads the status while the device is not done. */
  private poll(values: readonly number[], stage: Stage): void {
    this.at(stage);
    for (const value of this.choices.some([...values, ...values])) {
      this.emit(shows(value));
      if (stage === "suspending" && this.choices.oneIn(3)) this.emit(notice("used"));
      this.at(stage);
    }
  }

  private reset(): void {
    const before = this.lastStatus || 0x1b;
    this.emit(set(0));
    if (this.choices.oneIn(4)) this.emit(shows(before), shows(before));
    this.at("resetting");
    if (this.choices.oneIn(4)) this.emit(set(0));
    this.emit(shows(0));
    this.status = 0;
    this.accepted = FeatureSet.empty;
    this.wasLive = false;
    if (this.choices.oneIn(4)) this.emit(stops(0), ready(0, 0));
  }

  private addStatus(bit: number): void {
    if (this.choices.oneIn(2)) this.emit(shows(this.status));
    this.status |= bit;
    this.emit(set(this.status));
    if (this.choices.oneIn(2)) this.emit(shows(this.status));
  }

  private mayFail(): void {
    if (this.choices.oneIn(this.often === "fail" ? 3 : 8)) this.fail();
  }

  private fail(): never {
    this.status |= 0x80;
    this.emit(set(this.status));
    if (this.choices.oneIn(2)) this.emit(shows(this.status), set(this.status));
    this.at("failed");
    this.stop();
  }

  private readOffer(): void {
    const words = this.offered.word(2) === 0 && this.offered.word(3) === 0 ? 2 : 4;
    for (let word = 0; word < words; word++) this.emit(offers(word, this.offered.word(word)));
  }

  private setUpQueues(): void {
    const queues = 1 + this.choices.next(3);
    for (let queue = 0; queue < queues; queue++) this.emit(findsQueue(queue), enables(queue), ready(queue));
    this.emit(findsQueue(queues, 0));
  }

  private writeField(): void {
    const field = this.choices.pick(this.fields(({ writable }) => writable !== false));
    if (field === undefined || (field.bytes !== 1 && field.bytes !== 4)) return;
    this.poke(field);
    this.emit(writes(field.offset, field.bytes, this.value(field.offset, field.bytes)));
  }

  /** Reads some of what the driver may read: single fields as they are, wide ones within one generation. */
  private look(): void {
    const count = this.choices.next(3);
    for (let i = 0; i < count; i++) {
      const field = this.choices.pick(this.fields());
      if (field === undefined) continue;
      if (field.bytes <= 4) this.readNarrow(field);
      else if (this.isLegacy) this.readTwice(field);
      else this.readWide(field);
    }
  }

  private readNarrow(field: ConfigLayout): void {
    if (this.choices.oneIn(4)) this.readGeneration();
    this.readPieces(field);
    if (this.choices.oneIn(4)) this.readPieces(field);
  }

  private readWide(field: ConfigLayout): void {
    this.readGeneration();
    this.readPieces(field);
    const mayChange = (this.status & 0x10) === 0 && this.lastStatus !== 0x1b;
    if (mayChange && this.choices.oneIn(4)) {
      this.change();
      this.readGeneration();
      this.readPieces(field);
    }
    this.readGeneration();
  }

  private readTwice(field: ConfigLayout): void {
    if (this.choices.oneIn(4)) {
      this.readPieces(field);
      this.poke(field);
    }
    this.readPieces(field);
    this.readPieces(field);
  }

  /** The status as it was read or written last; 0 before anything was. */
  private get lastStatus(): number {
    const last = this.happenings.findLast(({ access }) => access?.register === "status");
    return last?.access?.value ?? 0;
  }

  /** The device changes a value, and the generation with it. */
  private change(): void {
    const field = this.choices.pick(this.layout);
    if (field === undefined) return;
    this.poke(field);
    this.generation = (this.generation + 1) & 0xff;
  }
}

const known = new Map<string, readonly number[]>();

function usableBits(type: DeviceType | undefined, transport: string): readonly number[] {
  const key = `${type} ${transport}`;
  const bits =
    known.get(key) ??
    Array.from({ length: 128 }, (_, bit) => bit).filter((bit) => isUsable(bit, type, transport));
  known.set(key, bits);
  return bits;
}
