/**
 * The bytes of a workload: made from (seed, chain number) alone, so that driver and checker agree without sharing
 * memory, and the same seed gives the same run on every machine.
 */

/**
 * Fills `target` with the readable bytes of one chain.
 *
 * @param seed of the run, a u32
 * @param chain number of the chain in the run, from 0
 */
export function fillPayload(target: Uint8Array, seed: number, chain: number): void {
  // xorshift32; an odd multiplier spreads neighbouring chains, and the state must not be 0
  let state = Math.imul(seed ^ Math.imul(chain + 1, 0x9e3779b1), 0x85ebca6b) | 1;
  for (let at = 0; at < target.length; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    target[at] = state;
    target[at + 1] = state >>> 8;
    target[at + 2] = state >>> 16;
    target[at + 3] = state >>> 24;
  }
}

/**
 * Fills `target` with what the echo device must answer: the readable bytes, repeated; without any, `fillPayload`
 * of the same chain under the inverted seed.
 */
export function fillAnswer(target: Uint8Array, payload: Uint8Array, seed: number, chain: number): void {
  if (payload.length === 0) {
    fillPayload(target, ~seed, chain);
    return;
  }
  target.set(payload.subarray(0, target.length));
  for (let done = payload.length; done < target.length; done *= 2) {
    target.copyWithin(done, 0, done);
  }
}
