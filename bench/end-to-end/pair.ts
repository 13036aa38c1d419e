/** A driver and its device on a loopback, initialised; every event of it goes nowhere. */
import { Pair, type PairOptions } from "../../src/sim/pair";
import { Transcript } from "../../src/trace/transcript";

/**
 * Makes and initialises them.
 *
 * @throws Error when they don't agree on all that is offered
 */
export async function openPair(options: Omit<PairOptions, "transcript">): Promise<Pair> {
  const pair = new Pair({ ...options, transcript: new Transcript() });
  const result = await pair.driver.initialize();
  if (!result.ok) throw new Error(result.reason);
  const missing = options.offer?.find(
    (feature) => typeof feature === "string" && !result.negotiated.has(feature),
  );
  if (missing !== undefined) throw new Error(`${missing} was offered, and not negotiated`);
  return pair;
}
