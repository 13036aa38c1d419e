/**
 * One property program on both twins: draws an operation, applies it here and there, and compares. With a hostile peer it
 * also changes ring bytes, the same in both memories; without one a ledger says what an honest queue answers.
 */
import { writeStart } from "../model/areas";
import type { DeviceState, DriverState, RingOptions, Rings } from "../model/ring";
import { type Coverage, rarityOf } from "./coverage";
import { attack, type Overwrite } from "./hostile";
import { Ledger } from "./ledger";
import { type Answer, apply, isOfDriver, type Operation, sameAnswer, sameState, show } from "./operations";
import { ProgramGenerator } from "./programs";
import type { Random } from "./random";
import type { Setup } from "./setups";
import type { Implementation } from "./twins";

export interface TwinProgramOptions {
  readonly setup: Setup;
  readonly random: Random;
  readonly coverage: Coverage;
  /** How to find the program again. */
  readonly name: string;
  readonly left: { readonly implementation: Implementation; readonly memory: Uint8Array };
  readonly right: { readonly implementation: Implementation; readonly memory: Uint8Array };
  readonly isHostile: boolean;
  readonly onOperation?: (operation: Operation, answer: Answer) => void;
}

/** One twin while a program runs. */
interface Twin {
  readonly name: string;
  readonly rings: Rings;
  readonly memory: Uint8Array;
  /** The same bytes, for a fast comparison: all, and those of the rings. */
  readonly all: Buffer;
  readonly ringBytes: Buffer;
}

type HalfState = DriverState | DeviceState;

/** Bytes of the rings that are compared after each operation; longer rings are compared every so often. */
const COMPARED_AT_ONCE = 8192;

export class TwinProgram {
  operations = 0;
  /** Fields that a hostile peer overwrote. */
  overwritten = 0;
  readonly #options: TwinProgramOptions;
  readonly #left: Twin;
  readonly #right: Twin;
  readonly #generator: ProgramGenerator;
  /** Undefined while the queue is not an honest one. */
  #ledger: Ledger | undefined;
  #driver: DriverState;
  #device: DeviceState;
  /** The operation that comes next, whatever the generator wants: the one that meets an attack. */
  #seenBy: Operation | undefined;
  /** What an attack overwrote for a while only. */
  #restores: (Overwrite & { after: number })[] = [];
  readonly #compareEvery: number;

  constructor(options: TwinProgramOptions) {
    const { setup, random, left, right } = options;
    this.#options = options;
    this.#left = makeTwin(left.implementation, setup, left.memory);
    this.#right = makeTwin(right.implementation, setup, right.memory);
    this.#generator = new ProgramGenerator(random, setup);
    this.#ledger = new Ledger(setup);
    this.#compareEvery = Math.ceil(setup.rings.bytes / COMPARED_AT_ONCE);
    this.#driver = this.#left.rings.driver.state();
    this.#device = this.#left.rings.device.state();
  }

  /** Runs at most `length` operations. @throws Error at the first difference, and where the ledger disagrees with both */
  run(length: number): void {
    const { random, setup, isHostile } = this.#options;
    while (this.operations < length) {
      if (isHostile && random.oneIn(8)) {
        this.#attack();
      }
      this.#restore();
      const operation = this.#seenBy ?? this.#generator.next(rarityOf(this.#driver, this.#device, setup));
      this.#seenBy = undefined;
      this.#do(operation);
      const isReset = operation.name === "driver reset" || operation.name === "device reset";
      if (isReset && !this.#afterReset(operation.name)) {
        break;
      }
    }
    this.#compareMemories();
  }

  /** Applies an operation to both, compares answers, states and ring bytes, and asks the ledger. */
  #do(operation: Operation): void {
    this.operations++;
    const answer = apply(this.#left.rings, operation);
    const other = apply(this.#right.rings, operation);
    this.#options.onOperation?.(operation, answer);
    if (!sameAnswer(answer, other)) {
      this.#fail("answer", operation, answer, other);
    }
    if (isOfDriver(operation.name)) {
      const before = this.#driver;
      this.#driver = this.#left.rings.driver.state();
      this.#compareStates(operation, this.#driver, this.#right.rings.driver.state());
      this.#record(operation, answer, before, this.#driver);
    } else {
      const before = this.#device;
      this.#device = this.#left.rings.device.state();
      this.#compareStates(operation, this.#device, this.#right.rings.device.state());
      this.#record(operation, answer, before, this.#device);
    }
    const isDue = this.#compareEvery === 1 || this.operations % this.#compareEvery === 0;
    if (isDue && !this.#left.ringBytes.equals(this.#right.ringBytes)) {
      this.#fail("ring bytes", operation, ...this.#firstDifference());
    }
    this.#generator.note(operation, answer);
    try {
      this.#ledger?.check(operation, answer);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error), operation, answer, other);
    }
  }

  #compareStates(operation: Operation, left: HalfState, right: HalfState): void {
    if (!sameState(left, right)) {
      this.#fail("state", operation, left, right);
    }
  }

  #record(operation: Operation, answer: Answer, before: HalfState, after: HalfState): void {
    const { setup, coverage } = this.#options;
    const isShort = operation.name === "add" && (answer.added ?? 0) < operation.chains.length;
    coverage.record({
      layout: setup.layout,
      size: setup.size,
      featureSet: setup.featureSet,
      operation: operation.name,
      before,
      after,
      failed: answer.error !== undefined,
      full: isShort && answer.error === undefined,
    });
  }

  /**
   * Mostly the other half is reset too and the rings are zeroed, as a transport does it; else the halves don't fit any more.
   *
   * @returns false: the program ends, so that the next one begins somewhere else than at index 0
   */
  #afterReset(name: Operation["name"]): boolean {
    const { random, setup } = this.#options;
    if (random.oneIn(10)) {
      this.#ledger = undefined;
      return true;
    }
    this.#do({ name: name === "driver reset" ? "device reset" : "driver reset" });
    const { offset, bytes } = setup.rings;
    for (const { memory } of [this.#left, this.#right]) {
      memory.fill(0, offset, offset + bytes);
    }
    this.#restores = [];
    this.#ledger = new Ledger(setup, true);
    return random.oneIn(2);
  }

  #attack(): void {
    const { random, setup } = this.#options;
    const standing = { driver: this.#driver, device: this.#device };
    const { overwrites, seenBy } = attack(random, setup, this.#left.memory, standing);
    this.#ledger = undefined;
    this.#seenBy = seenBy && { name: seenBy, max: random.pick([1, 8]) };
    const isForAWhile = random.oneIn(2);
    for (const { offset, bytes } of overwrites) {
      const original = this.#left.memory.slice(offset, offset + bytes.length);
      if (isForAWhile) {
        this.#restores.unshift({ offset, bytes: original, after: this.operations + random.between(1, 6) });
      }
      this.#overwrite({ offset, bytes });
    }
    this.overwritten += overwrites.length;
  }

  #restore(): void {
    if (this.#restores.length > 0) {
      const due = this.#restores.filter(({ after }) => after <= this.operations);
      this.#restores = this.#restores.filter(({ after }) => after > this.operations);
      due.forEach((overwrite) => void this.#overwrite(overwrite));
    }
  }

  #overwrite({ offset, bytes }: Overwrite): void {
    this.#left.memory.set(bytes, offset);
    this.#right.memory.set(bytes, offset);
  }

  /** At the end: the memories are the same, and nothing but the rings was written. */
  #compareMemories(): void {
    const nothing: Operation = { name: "has used" };
    if (!this.#left.all.equals(this.#right.all)) {
      this.#fail("memory", nothing, ...this.#firstDifference());
    }
    const { offset, bytes } = this.#options.setup.rings;
    const { all } = this.#left;
    if (!isZero(all.subarray(0, offset)) || !isZero(all.subarray(offset + bytes))) {
      this.#fail("a write outside the rings", nothing, undefined, undefined);
    }
  }

  #firstDifference(): [unknown, unknown] {
    const { memory: a } = this.#left;
    const { memory: b } = this.#right;
    const offset = a.findIndex((byte, i) => byte !== b[i]);
    return [
      { offset, byte: a[offset], areas: this.#options.setup.offsets },
      { offset, byte: b[offset] },
    ];
  }

  #fail(what: string, operation: Operation, left: unknown, right: unknown): never {
    const { name, setup } = this.#options;
    throw new Error(
      [
        `${what}: ${name}, operation ${this.operations}: ${show(operation)}`,
        `${this.#left.name}: ${show(left)}`,
        `${this.#right.name}: ${show(right)}`,
        `on ${show({ ...setup, offsets: undefined })}`,
      ].join("\n"),
    );
  }
}

function makeTwin(implementation: Implementation, setup: Setup, memory: Uint8Array): Twin {
  const options: RingOptions = { ...setup, memory };
  memory.fill(0);
  writeStart(options);
  const rings = implementation.makeRings(options);
  // A half may put its words in memory when it is made; every program starts with the same bytes.
  memory.fill(0);
  writeStart(options);
  const all = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
  const { offset, bytes } = setup.rings;
  return {
    name: implementation.name,
    rings,
    memory,
    all,
    ringBytes: all.subarray(offset, offset + bytes),
  };
}

let zeros = Buffer.alloc(0);

function isZero(bytes: Buffer): boolean {
  if (zeros.length < bytes.length) {
    zeros = Buffer.alloc(bytes.length);
  }
  return bytes.equals(zeros.subarray(0, bytes.length));
}
