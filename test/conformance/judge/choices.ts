/** Decisions for a generated run, taken from a list of numbers; past its end every answer is the first one. */
export class Choices {
  private at = 0;
  private readonly list: readonly number[];

  constructor(list: readonly number[]) {
    this.list = list;
  }

  /** 0…count - 1. */
  next(count: number): number {
    return (this.list[this.at++] ?? 0) % count;
  }

  /** True one time in `count`, never past the end. */
  oneIn(count: number): boolean {
    return this.next(count) === count - 1;
  }

  /** An entry; undefined of an empty list. */
  pick<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : list[this.next(list.length)];
  }

  /** Each entry with a chance of one half. */
  some<T>(list: readonly T[]): T[] {
    return list.filter(() => this.next(2) === 1);
  }
}
