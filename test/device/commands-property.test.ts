// Any sequence of what a driver, a host and a model can do to the control plane of a strict device, against a small
// machine written from §2.1, §2.2, §2.4, §2.5, §2.6.1, §3.1 and §3.4: after each command both must agree on all there is
// to see. 100,000 commands.
import fc from "fast-check";
import { expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { VirtioDevice } from "../../src/device/device";
import type { Phase } from "../../src/device/status";
import { VirtioError } from "../../src/errors";
import { TestModel } from "../control-rig";

const LONGEST = 500;
const RUNS = 600;

const EVENT_IDX = 1 << 29;
/** Word 1: VERSION_1, RING_PACKED, RING_RESET, SUSPEND. */
const [VERSION_1, PACKED, RING_RESET, SUSPEND] = [1, 4, 1 << 8, 1 << 11] as const;
const OFFERED = [EVENT_IDX | 3, VERSION_1 | PACKED | RING_RESET | SUSPEND, 0, 0] as const;
const SIZE = 8;
const MAX_SIZE = 16;
const CONFIG_BYTES = 14;
const SUSPEND_PHASES: readonly Phase[] = ["suspending", "suspended", "resuming"];

/** Where queue `index` lies. */
function areasOf(index: number) {
  const base = 0x1000 + 0x1000 * index;
  return { descriptor: base, driver: base + 0x400, device: base + 0x800 };
}

interface QueueModel {
  isReady: boolean;
  isMarked: boolean;
  wasReset: boolean;
  pending: number;
  used: number;
}

const newQueue = (): QueueModel => ({
  isReady: false,
  isMarked: false,
  wasReset: false,
  pending: 0,
  used: 0,
});

/** What a strict device has to do, and nothing of how. */
class Expected {
  status = 0;
  phase: Phase = "reset";
  accepted: number[] = [0, 0, 0, 0];
  negotiated: number[] | undefined;
  queues = [newQueue(), newQueue()];
  /** What the model says of the fields now, and what the driver sees of them. */
  size = 1;
  kept = [4, 3, 2, 1, 7];
  frozen: number[] | undefined;
  /** What is to be heard because of the command that is under way. */
  codes: string[] = [];
  interrupts: string[] = [];
  private noticePends = false;
  private noticesGo = false;
  /** A Promise of the model is under way. */
  waits: "reset" | "suspend" | "resume" | undefined;
  slow = false;

  writeStatus(written: number): undefined {
    if (!Number.isInteger(written) || written < 0 || written > 255) return this.breach("BAD_ARGUMENT");
    if (this.phase === "resetting") return written === 0 ? undefined : this.breach("STATUS_SEQUENCE");
    if (written === 0) return this.reset();
    if ((this.status & ~written) !== 0) return this.breach("STATUS_CLEARED_BIT");
    const canSuspend = this.phase === "live" && this.has(SUSPEND);
    const added = written & ~this.status & (canSuspend ? 0xff : 0xef);
    if (added === 0) return undefined;
    const next: Partial<Record<Phase, [bit: number, to: Phase]>> = {
      reset: [1, "acknowledged"],
      acknowledged: [2, "negotiating"],
      negotiating: [8, "setup"],
      setup: [4, "live"],
      live: [16, "suspending"],
      suspended: [4, "resuming"],
    };
    const [bit, to] = next[this.phase] ?? [0, "reset"];
    if (added === 0x80 && this.phase !== "failed") this.phase = "failed";
    else if (added !== bit) return this.breach("STATUS_SEQUENCE");
    else if (to === "setup" && !this.negotiate()) return undefined;
    else this.phase = to;
    this.status |= added;
    if (this.phase === "live") this.goLive();
    if (this.phase === "suspending") {
      this.noticesGo = false;
      this.frozen = this.values();
    }
    return undefined;
  }

  private negotiate(): boolean {
    const { accepted } = this;
    const isOffered = accepted.every((word, i) => (word & ~(OFFERED[i] ?? 0)) === 0);
    const [low = 0, high = 0] = accepted;
    if (!isOffered || (high & VERSION_1) === 0 || (low & 3) === 2) return false;
    this.negotiated = [...accepted];
    return true;
  }

  private has(bitOfWord1: number): boolean {
    return ((this.negotiated?.[1] ?? 0) & bitOfWord1) !== 0;
  }

  private reset(): undefined {
    this.accepted = [0, 0, 0, 0];
    this.negotiated = undefined;
    this.queues = [newQueue(), newQueue()];
    this.kept = [4, 3, 2, 1, 7];
    this.frozen = undefined;
    this.noticePends = false;
    this.noticesGo = false;
    this.waits = this.slow ? "reset" : undefined;
    this.phase = this.slow ? "resetting" : "reset";
    if (!this.slow) this.status = 0;
    else if (this.status === 0) this.status = 2; // anything but 0
  }

  private goLive(): void {
    this.noticesGo = true;
    if (this.noticePends) this.interrupts.push("config");
    this.noticePends = false;
    for (const queue of this.queues) queue.isMarked = queue.isReady;
  }

  writeFeatures(word: number, value: number): undefined {
    const before = this.accepted[word] ?? 0;
    if (this.negotiated !== undefined) return value === before ? undefined : this.breach("FEATURES_FROZEN");
    if (this.phase !== "negotiating") this.breach("STATUS_SEQUENCE");
    if (this.phase !== "resetting" && word < 4) this.accepted[word] = value;
    return undefined;
  }

  enable(index: number, how: "good" | "size" | "align"): undefined {
    const queue = this.queues[index];
    if (queue === undefined) return this.breach("QUEUE_INDEX_RANGE");
    if (queue.isReady) return this.breach("QUEUE_LOCKED");
    if (this.phase !== "setup" && !(this.phase === "live" && queue.wasReset))
      return this.breach("STATUS_SEQUENCE");
    if (how !== "good") return this.breach(how === "size" ? "QUEUE_SIZE_INVALID" : "RING_ALIGN");
    this.queues[index] = { ...newQueue(), isReady: true, isMarked: this.phase === "live" };
    return undefined;
  }

  disable(index: number): undefined {
    const queue = this.queues[index];
    if (!queue?.isReady) return undefined;
    if (SUSPEND_PHASES.includes(this.phase)) return this.breach("STATUS_SEQUENCE");
    this.queues[index] = newQueue();
    return undefined;
  }

  resetQueue(index: number): undefined {
    if (this.queues[index] === undefined) return this.breach("QUEUE_INDEX_RANGE");
    if (!this.has(RING_RESET) || SUSPEND_PHASES.includes(this.phase)) return this.breach("STATUS_SEQUENCE");
    this.queues[index] = { ...newQueue(), wasReset: true };
    return undefined;
  }

  notify(index: number): undefined {
    if (this.phase !== "live") return undefined;
    const queue = this.queues[index];
    if (queue === undefined) return this.breach("QUEUE_INDEX_RANGE");
    if (!queue.isReady) return this.breach("QUEUE_NOT_READY");
    queue.isMarked = true;
    return undefined;
  }

  process(): void {
    if (this.phase === "resuming" && this.waits === undefined) this.beginOrDo("resume");
    if (this.phase === "suspending" && this.waits === undefined) this.beginOrDo("suspend");
    if (this.phase !== "live") return;
    const [low = 0] = this.negotiated ?? [];
    const onlyFirst = (low & EVENT_IDX) !== 0 && !this.has(PACKED); // used_event is 0
    for (const [index, queue] of this.queues.entries()) {
      if (!queue.isMarked) continue;
      queue.isMarked = false;
      if (queue.pending > 0 && !(onlyFirst && queue.used !== 0)) this.interrupts.push(`used ${index}`);
      queue.used += queue.pending;
      queue.pending = 0;
    }
  }

  /** The model's Promise settles. */
  settle(): void {
    const { waits } = this;
    this.waits = undefined;
    if (waits === "reset") {
      this.status = 0;
      this.phase = "reset";
    } else if (waits !== undefined) this.done(waits);
  }

  private beginOrDo(what: "suspend" | "resume"): void {
    if (this.slow) this.waits = what;
    else this.done(what);
  }

  private done(what: "suspend" | "resume"): void {
    if (what === "suspend" && this.phase === "suspending") {
      this.status &= ~4;
      this.phase = "suspended";
    } else if (what === "resume" && this.phase === "resuming") {
      this.status &= ~16;
      this.phase = "live";
      this.frozen = undefined;
      this.goLive();
    }
  }

  configChanged(): void {
    if (this.noticesGo) this.interrupts.push("config");
    else this.noticePends = true;
  }

  needsReset(): void {
    this.breach("INTERNAL");
    if ((this.status & 0x40) !== 0 || this.phase === "resetting") return;
    this.status |= 0x40;
    if (this.phase !== "failed") this.phase = "needs-reset";
    this.noticesGo = (this.status & 4) !== 0;
    this.configChanged();
  }

  /** The bytes of the configuration as the driver has to see them. */
  values(): number[] {
    if (this.frozen !== undefined) return this.frozen;
    const dependent = ((this.accepted[0] ?? 0) & 1) !== 0 ? [0xef, 0xbe] : [0, 0];
    return [
      ...[0, 8, 16, 24].map((shift) => (this.size >>> shift) & 0xff),
      ...this.kept,
      0,
      0,
      0,
      ...dependent,
    ];
  }

  readConfig(offset: number, bytes: number): number {
    if (offset + bytes > CONFIG_BYTES) {
      this.breach("CONFIG_RANGE");
      return 0;
    }
    return this.values()
      .slice(offset, offset + bytes)
      .reduceRight((sum, byte) => sum * 256 + byte, 0);
  }

  /** Bytes 4…7 are writable from FEATURES_OK on, byte 8 at any time. */
  writeConfig(offset: number, bytes: number, value: number): undefined {
    if (SUSPEND_PHASES.includes(this.phase) || this.phase === "resetting")
      return this.breach("STATUS_SEQUENCE");
    if (offset + bytes > CONFIG_BYTES) return this.breach("CONFIG_RANGE");
    if (offset < 4 || offset + bytes > 9) return this.breach("CONFIG_READONLY");
    if (offset < 8 && this.negotiated === undefined) return this.breach("STATUS_SEQUENCE");
    for (let i = 0; i < bytes; i++) this.kept[offset - 4 + i] = (value >>> (8 * i)) & 0xff;
    return undefined;
  }

  /** All that there is to see. */
  shown(): string {
    const { status, phase, accepted, negotiated, queues } = this;
    return show(
      status,
      phase,
      accepted,
      negotiated,
      queues.map(({ isReady }) => isReady),
      this,
    );
  }

  private breach(code: string): undefined {
    this.codes.push(code);
  }
}

/** A model that answers by Promise when it is told to. */
class SlowModel extends TestModel {
  slow = false;
  size = 1;
  /** What is under way; the last one of them counts. */
  resolve: () => void = () => {};

  constructor() {
    super({
      queues: ["a", "b"].map((name) => ({ name, maxSize: MAX_SIZE })),
      offers: [0, 1],
      config: [
        { name: "size", offset: 0, bytes: 4, anyOf: [], value: () => this.size },
        { name: "kept", offset: 4, bytes: 4, anyOf: [], writable: true, value: 0x01020304 },
        { name: "free", offset: 8, bytes: 1, anyOf: [], writable: "any-time", value: 7 },
        {
          name: "dependent",
          offset: 12,
          bytes: 2,
          anyOf: [],
          value: (accepted) => (accepted.has(0) ? 0xbeef : 0),
        },
      ],
      validate: (accepted) => (accepted.has(1) && !accepted.has(0) ? "1 rests on 0" : undefined),
    });
  }

  override reset(): void | Promise<void> {
    super.reset();
    return this.answer();
  }

  suspend(): void | Promise<void> {
    return this.answer();
  }

  resume(): void | Promise<void> {
    return this.answer();
  }

  private answer(): void | Promise<void> {
    if (!this.slow) return undefined;
    return new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}

/** The real device, and what the driver puts into its rings. */
class Real {
  static readonly core = loadCoreSync({ guestBytes: 1 << 16 });
  readonly model = new SlowModel();
  readonly codes: string[] = [];
  readonly interrupts: string[] = [];
  readonly device = new VirtioDevice(Real.core, this.model, {
    offer: [29, 32, 34, 40, 43],
    onViolation: ({ code }) => this.codes.push(code),
    onInterrupt: (kind, queue) => this.interrupts.push(kind === "used" ? `used ${queue}` : kind),
  });
  /** Chains that were made available in each queue since it was enabled. */
  private readonly added = [0, 0];

  shown(): string {
    const { device } = this;
    const { phase, accepted, negotiated } = device;
    const ready = [0, 1].map((index) => device.queueReady(index));
    return show(device.readStatus(), phase, accepted.words, negotiated?.words, ready, this);
  }

  enable(index: number, how: "good" | "size" | "align", isNew: boolean): void {
    const areas = areasOf(index);
    if (isNew && how === "good") {
      Real.core.view(areas.descriptor, 0x1000).fill(0);
      this.added[index] = 0;
    }
    this.device.enableQueue(index, {
      size: how === "size" ? MAX_SIZE + 1 : SIZE,
      areas: how === "align" ? { ...areas, descriptor: areas.descriptor + 8 } : areas,
    });
  }

  /** One chain of one readable descriptor, written as §2.7.13 and §2.8.13 have it. */
  add(index: number): void {
    const { descriptor, driver } = areasOf(index);
    const n = this.added[index] ?? 0;
    this.added[index] = n + 1;
    const view = new DataView(Real.core.memory.buffer, Real.core.view(0, 1).byteOffset);
    const slot = n % SIZE;
    const at = descriptor + 16 * slot;
    view.setUint32(at, 0x8000, true);
    view.setUint32(at + 8, 4, true);
    if (this.device.ring?.layout === "packed") {
      const wrap = Math.floor(n / SIZE) % 2 === 0;
      view.setUint16(at + 12, slot, true);
      view.setUint16(at + 14, wrap ? 0x0080 : 0x8000, true);
    } else {
      view.setUint16(driver + 4 + 2 * slot, slot, true);
      view.setUint16(driver + 2, n + 1, true);
    }
  }
}

/** One line for either side, and what was heard since the last one. */
function show(
  status: number,
  phase: Phase,
  accepted: readonly number[],
  negotiated: readonly number[] | undefined,
  ready: readonly boolean[],
  heard: { readonly codes: string[]; readonly interrupts: string[] },
): string {
  const sets = [accepted, negotiated ?? []].map((words) =>
    words.map((word) => (word >>> 0).toString(16)).join(" "),
  );
  const codes = heard.codes.splice(0).join(" ");
  const interrupts = heard.interrupts.splice(0).sort().join(" ");
  return `0x${status.toString(16)} ${phase}, ${sets.join(", ")}, ready ${ready}; ${codes}; ${interrupts}`;
}

/** The pair, and what a generation may be. */
class Pair {
  readonly expected = new Expected();
  readonly real = new Real();
  private generation = this.real.device.configGeneration();
  private seen = this.expected.values().join();
  private mayDiffer = false;
  private mustDiffer = false;

  /** Two reads of the generation differ if the driver could have read two versions, and not without a reason. */
  readGeneration(): void {
    this.look();
    const now = this.real.device.configGeneration();
    if (this.mustDiffer) expect(now).not.toBe(this.generation);
    else if (!this.mayDiffer) expect(now).toBe(this.generation);
    this.generation = now;
    this.seen = this.expected.values().join();
    this.mustDiffer = false;
    this.mayDiffer = this.expected.frozen !== undefined && this.mayDiffer;
  }

  look(): void {
    this.mustDiffer ||= this.expected.values().join() !== this.seen;
  }

  changes(): void {
    this.mayDiffer = true;
  }

  check(): void {
    const expected = this.expected.shown();
    const real = this.real.shown();
    if (this.expected.frozen !== undefined) this.mayDiffer ||= this.expected.values().join() !== this.seen;
    if (real !== expected) expect(real).toBe(expected);
  }
}

/** One command on both sides; its name is what a counterexample shows. */
type Command = (pair: Pair) => void | Promise<void>;

const named = (name: string, run: Command): Command => Object.assign(run, { toString: () => name });
/** A register write or a call that both sides have under the same name. */
const both = (name: string, deed: (side: Expected | VirtioDevice) => void): Command =>
  named(name, ({ expected, real }) => {
    deed(expected);
    deed(real.device);
  });

const index = fc.constantFrom(0, 0, 1, 1, 2);

/** A driver that means well: the next bit of the order. */
const nextStatus = named("next status", ({ expected, real }) => {
  const next = { reset: 1, acknowledged: 2, negotiating: 8, setup: 4, suspended: 4 }[
    expected.phase as string
  ];
  const written = expected.status | (next ?? 0);
  expected.writeStatus(written);
  real.device.writeStatus(written);
});

/** And that starts again where nothing else is left to do. */
const recover = named("reset if it must be", ({ expected, real }) => {
  if (expected.phase !== "failed" && expected.phase !== "needs-reset") return;
  expected.writeStatus(0);
  real.device.writeStatus(0);
});

const acceptSet = fc
  .tuple(fc.constantFrom(0, EVENT_IDX, 1, 3), fc.constantFrom(1, 5, 1 | SUSPEND, 0x101 | SUSPEND, 0x905))
  .map((words) =>
    named(`accept ${words}`, ({ expected, real }) => {
      if (expected.phase !== "negotiating") return;
      for (const [word, value] of words.entries()) {
        expected.writeFeatures(word, value);
        real.device.writeFeatures(word, value);
      }
    }),
  );

const addBit = fc.constantFrom(1, 2, 4, 8, 16, 16, 16, 128).map((bit) =>
  named(`status | ${bit}`, ({ expected, real }) => {
    const written = expected.status | bit;
    expected.writeStatus(written);
    real.device.writeStatus(written);
  }),
);

const anyStatus = fc
  .constantFrom(0, 0, 0, 1, 3, 0x0b, 0x0f, 0x1b, 0x1f, 0x4f, 0xff, 0x100, -1, 0.5)
  .map((written) => both(`status = ${written}`, (side) => side.writeStatus(written)));

const anyFeatures = fc
  .tuple(fc.constantFrom(0, 1, 2, 3, 4, 9), fc.constantFrom(0, 1, 2, 5, 0x901, 0x40, 0xffffffff))
  .map(([word, value]) => both(`features ${word} = ${value}`, (side) => side.writeFeatures(word, value)));

const enable = fc
  .tuple(index, fc.constantFrom<("good" | "size" | "align")[]>("good", "good", "good", "size", "align"))
  .map(([at, how]) =>
    named(`enable ${at} ${how}`, ({ expected, real }) => {
      const isNew = expected.queues[at]?.isReady === false;
      expected.enable(at, how);
      real.enable(at, how, isNew);
    }),
  );

const add = fc.nat(1).map((at) =>
  named(`add to ${at}`, ({ expected, real }) => {
    const queue = expected.queues[at];
    if (!queue?.isReady || queue.pending === SIZE) return;
    queue.pending++;
    real.add(at);
  }),
);

const process = named("process", ({ expected, real }) => {
  const waiting = () => expected.queues.reduce((sum, { pending }) => sum + pending, 0);
  const before = waiting();
  expected.process();
  for (let i = 0; i < 10 && real.device.process() === "more"; i++);
  expect(real.model.taken.splice(0).length).toBe(before - waiting());
});

const changeSize = fc.boolean().map((isAnnounced) =>
  named(`size changes${isAnnounced ? ", announced" : ""}`, (pair) => {
    const { expected, real } = pair;
    expected.size++;
    real.model.size++;
    pair.changes();
    if (!isAnnounced) return;
    expected.configChanged();
    real.device.configChanged();
  }),
);

const readConfig = fc.tuple(fc.nat(15), fc.constantFrom(1, 2, 4)).map(([offset, bytes]) =>
  named(`read ${bytes} at ${offset}`, (pair) => {
    const value = pair.expected.readConfig(offset, bytes);
    expect(pair.real.device.readConfig(offset, bytes)).toBe(value);
    if (offset + bytes <= CONFIG_BYTES) pair.look();
  }),
);

const writeConfig = fc
  .tuple(fc.constantFrom(0, 4, 4, 5, 6, 8, 8, 9, 12, 14), fc.constantFrom(1, 2, 4), fc.nat(0xffffffff))
  .map(([offset, bytes, value]) =>
    named(`write ${bytes} at ${offset}`, (pair) => {
      pair.expected.writeConfig(offset, bytes, value);
      pair.real.device.writeConfig(offset, bytes, value);
      pair.changes();
    }),
  );

const breakIt = named("needs reset", ({ expected, real }) => {
  expected.needsReset();
  real.device.needsReset(new VirtioError("INTERNAL", "broken on purpose"));
});

const setPace = fc.boolean().map((slow) =>
  named(slow ? "slow from now on" : "quick from now on", ({ expected, real }) => {
    expected.slow = slow;
    real.model.slow = slow;
  }),
);

const settle = named("settle", async ({ expected, real }) => {
  expected.settle();
  real.model.resolve();
  for (let i = 0; i < 3; i++) await Promise.resolve();
});

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 14, arbitrary: fc.constant(nextStatus) },
  { weight: 4, arbitrary: fc.constant(recover) },
  { weight: 8, arbitrary: acceptSet },
  { weight: 4, arbitrary: addBit },
  { weight: 2, arbitrary: anyStatus },
  { weight: 2, arbitrary: anyFeatures },
  { weight: 8, arbitrary: enable },
  {
    weight: 1,
    arbitrary: index.map((at) =>
      named(`disable ${at}`, ({ expected, real }) => {
        expected.disable(at);
        real.device.disableQueue(at);
      }),
    ),
  },
  { weight: 2, arbitrary: index.map((at) => both(`reset queue ${at}`, (side) => side.resetQueue(at))) },
  { weight: 8, arbitrary: add },
  { weight: 6, arbitrary: index.map((at) => both(`notify ${at}`, (side) => side.notify(at))) },
  { weight: 10, arbitrary: fc.constant(process) },
  { weight: 3, arbitrary: changeSize },
  { weight: 4, arbitrary: readConfig },
  { weight: 3, arbitrary: writeConfig },
  { weight: 4, arbitrary: fc.constant(named("generation", (pair) => pair.readGeneration())) },
  { weight: 1, arbitrary: fc.constant(breakIt) },
  { weight: 3, arbitrary: setPace },
  { weight: 6, arbitrary: fc.constant(settle) },
);

it("a strict device does what §2 and §3 say, whatever is done to it", async () => {
  const visited = new Map<string, number>();
  const program = fc.array(command, { maxLength: LONGEST, size: "max" });
  let count = 0;
  await fc.assert(
    fc.asyncProperty(program, async (commands) => {
      const pair = new Pair();
      for (const run of commands) {
        await run(pair);
        pair.check();
        const { phase } = pair.expected;
        visited.set(phase, (visited.get(phase) ?? 0) + 1);
      }
      count += commands.length;
    }),
    { numRuns: RUNS },
  );
  expect(count).toBeGreaterThan(100_000);
  expect(visited.size).toBe(11);
  expect(Math.min(...visited.values())).toBeGreaterThan(300);
});
