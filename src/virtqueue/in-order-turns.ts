/**
 * Whose turn it is with IN_ORDER: a device uses buffers in the order in which they were made available (§2.7.9, §2.8.8),
 * so a completion that comes early is held back until those taken before it are used.
 */

/** Chains in flight in the order of taking, and the completions among them that wait. */
export class InOrderTurns {
  /** Completions that wait: bytes written, by token. */
  readonly held = new Map<number, number>();
  /** A ring of tokens, from `#first` on. */
  readonly #tokens: Uint32Array;
  #first = 0;
  #count = 0;

  /** @param size most chains in flight; 0: there are no turns */
  constructor(size: number) {
    this.#tokens = new Uint32Array(size);
  }

  /** Notes a taken chain behind those taken before it. */
  append(token: number): void {
    const at = this.#first + this.#count++;
    this.#tokens[at < this.#tokens.length ? at : at - this.#tokens.length] = token;
  }

  /** The oldest chain has been used. */
  shift(): void {
    this.#first = this.#first + 1 === this.#tokens.length ? 0 : this.#first + 1;
    this.#count--;
  }

  /** The chain taken last was given back. */
  drop(): void {
    this.#count--;
  }

  /** The oldest chain, if its completion waits; it waits no longer. */
  releaseOldest(): { readonly token: number; readonly written: number } | undefined {
    if (this.held.size === 0 || this.#count === 0) return undefined;
    const token = this.#tokens[this.#first] ?? 0;
    const written = this.held.get(token);
    if (written === undefined) return undefined;
    this.held.delete(token);
    return { token, written };
  }

  /** After a reset: nothing is in flight. */
  clear(): void {
    this.restore([], []);
  }

  /** As an image has them: tokens in flight in their order, and token and bytes written of those that wait. */
  restore(tokens: readonly number[], held: readonly (readonly [number, number])[]): void {
    this.#tokens.set(tokens);
    this.#first = 0;
    this.#count = tokens.length;
    this.held.clear();
    for (const [token, written] of held) this.held.set(token, written);
  }
}
