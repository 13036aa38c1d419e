/** Stretches of v86's memory that must not change, compared byte by byte with what they were. */
import type { V86Cpu } from "../../../src/adapters/v86/emulator";

/** Linear addresses, `to` excluded. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** A stretch that was changed, from the first such byte to the last. */
export interface Change extends Stretch {
  /** Which of the stretches it lies in. */
  readonly within: string;
}

/** Copies of stretches, by name. */
export class HeldMemory {
  private readonly cpu: V86Cpu;
  private readonly held: readonly (readonly [name: string, stretch: Stretch, before: Buffer])[];

  constructor(cpu: V86Cpu, stretches: Readonly<Record<string, Stretch>>) {
    this.cpu = cpu;
    this.held = Object.entries(stretches).map(
      ([name, stretch]) => [name, stretch, Buffer.from(this.bytes(stretch))] as const,
    );
  }

  /** How many bytes are compared. */
  get size(): number {
    return this.held.reduce((sum, [, { from, to }]) => sum + to - from, 0);
  }

  /** What isn't any more as it was. */
  changes(): Change[] {
    return this.held.flatMap(([within, { from, to }, before]) => {
      const now = this.bytes({ from, to });
      if (Buffer.compare(now, before) === 0) return [];
      let [first, last] = [0, now.length - 1];
      while (now[first] === before[first]) first++;
      while (now[last] === before[last]) last--;
      return [{ within, from: from + first, to: from + last + 1 }];
    });
  }

  private bytes({ from, to }: Stretch): Buffer {
    return Buffer.from(this.cpu.wasm_memory.buffer, from, to - from);
  }
}
