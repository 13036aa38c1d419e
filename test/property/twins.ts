/**
 * Runs property programs on two implementations of the rings, each on a guest memory of its own, and compares every answer,
 * the state of the half that acted, and the bytes of the rings. A program is found again by the seed and its number.
 */
import type { MakeRings } from "../model/ring";
import { Coverage } from "./coverage";
import type { Answer, Operation } from "./operations";
import { Random } from "./random";
import { makeSetup } from "./setups";
import { TwinProgram } from "./twin-program";

/** One of the twins. */
export interface Implementation {
  readonly name: string;
  readonly makeRings: MakeRings;
  /** Memory for programs; it is asked for once per size, and zeroed before each program. Default: a plain array. */
  readonly memory?: (bytes: number) => Uint8Array;
}

export interface TwinOptions {
  readonly left: Implementation;
  readonly right: Implementation;
  /** Any integer; same seed, same programs. */
  readonly seed: number;
  /** The first program to run, 0 by default. */
  readonly from?: number;
  /** Programs are run until this many operations are done. */
  readonly operations: number;
  /** Most operations of one program, 200 by default; a queue of more than 300 gets four times as many. */
  readonly length?: number;
  /** Which part of the programs meets a peer that breaks the rules, 0…1; 0.4 by default. */
  readonly hostile?: number;
  /** Where to count; a new table by default. */
  readonly coverage?: Coverage;
  /** Called with every operation and the left twin's answer, to look at a program. */
  readonly onOperation?: (operation: Operation, answer: Answer) => void;
}

export interface TwinReport {
  readonly programs: number;
  readonly operations: number;
  /** Fields that a hostile peer overwrote. */
  readonly overwritten: number;
  readonly coverage: Coverage;
}

/** Runs the programs. @throws Error with seed, program, operation and both answers at the first difference */
export function runTwins(options: TwinOptions): TwinReport {
  const { left, right, seed, from = 0, length = 200, hostile = 0.4, coverage = new Coverage() } = options;
  const memories = new Map<number, { left: Uint8Array; right: Uint8Array }>();
  let operations = 0;
  let overwritten = 0;
  let number = from;
  for (; operations < options.operations; number++) {
    const random = new Random(seed, number);
    const setup = makeSetup(random, number);
    const bytes = setup.memoryBytes;
    const memory = memories.get(bytes) ?? { left: memoryOf(left, bytes), right: memoryOf(right, bytes) };
    memories.set(bytes, memory);
    const program = new TwinProgram({
      setup,
      random,
      coverage,
      name: `seed ${seed}, program ${number}`,
      left: { implementation: left, memory: memory.left },
      right: { implementation: right, memory: memory.right },
      isHostile: random.below(1000) < hostile * 1000,
      ...(options.onOperation && { onOperation: options.onOperation }),
    });
    const longest = (setup.size > 300 ? 4 : 1) * length;
    program.run(random.between(Math.ceil(longest / 8), longest));
    operations += program.operations;
    overwritten += program.overwritten;
  }
  return { programs: number - from, operations, overwritten, coverage };
}

function memoryOf(implementation: Implementation, bytes: number): Uint8Array {
  return implementation.memory?.(bytes) ?? new Uint8Array(bytes);
}
