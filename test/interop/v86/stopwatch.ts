/**
 * Where time goes, by kind: each moment counts for the innermost call that is measured. What measuring itself costs is
 * found out by calls that do nothing, and taken off.
 */

/** What is told apart. */
export type Kind = "ring" | "copy" | "else";

// biome-ignore lint/suspicious/noExplicitAny: methods of any shape are wrapped, and passed on as they are
type Methods = Record<string, (...args: any[]) => unknown>;

const EMPTY_CALLS = 200_000;

/** Time and calls by kind. */
export class Stopwatch {
  private readonly outer: Kind[] = [];
  private kind: Kind = "else";
  private time: Record<Kind, number> = { ring: 0, copy: 0, else: 0 };
  private calls: Record<Kind, number> = { ring: 0, copy: 0, else: 0 };
  private last = performance.now();

  /**
   * Measures methods of an object, or of all objects of a prototype.
   *
   * @returns undoes it
   */
  measure(kind: Kind, target: object, names: readonly string[]): () => void {
    const watch = this;
    const undo = names.map((name) => {
      const own = Object.getOwnPropertyDescriptor(target, name);
      const method = (target as Methods)[name];
      if (method === undefined) throw new Error(`no method ${name}`);
      (target as Methods)[name] = function (this: unknown, ...args) {
        // A call within one of its own kind is a part of that: v86's queues call their own methods.
        if (watch.kind === kind) return method.apply(this, args);
        watch.enter(kind);
        try {
          return method.apply(this, args);
        } finally {
          watch.leave();
        }
      };
      return () => {
        if (own === undefined) Reflect.deleteProperty(target, name);
        else Object.defineProperty(target, name, own);
      };
    });
    return () => {
      for (const one of undo) one();
    };
  }

  /** Nanoseconds of a kind since the last {@link restart}, less what measuring cost. @param floor of {@link floor} */
  nanoseconds(kind: Kind, floor: number): number {
    return this.time[kind] * 1e6 - this.calls[kind] * floor;
  }

  restart(): void {
    this.time = { ring: 0, copy: 0, else: 0 };
    this.calls = { ring: 0, copy: 0, else: 0 };
  }

  /** Nanoseconds that a call of nothing counts for. */
  static floor(): number {
    const watch = new Stopwatch();
    const target = { nothing: () => undefined };
    watch.measure("ring", target, ["nothing"]);
    for (let i = 0; i < EMPTY_CALLS; i++) target.nothing();
    watch.restart();
    for (let i = 0; i < EMPTY_CALLS; i++) target.nothing();
    return watch.nanoseconds("ring", 0) / EMPTY_CALLS;
  }

  private enter(kind: Kind): void {
    this.count();
    this.outer.push(this.kind);
    this.kind = kind;
    this.calls[kind]++;
  }

  private leave(): void {
    this.count();
    this.kind = this.outer.pop() ?? "else";
  }

  private count(): void {
    const now = performance.now();
    this.time[this.kind] += now - this.last;
    this.last = now;
  }
}
