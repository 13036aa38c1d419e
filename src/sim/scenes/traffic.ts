/** Data through a negotiated pair, checked byte by byte: what a scene shows that its ring works with. */
import { NetDriver } from "../../driver/net";
import type { Pair } from "../pair";
import { fillPayload } from "../payload";

/** Rounds of waiting before what has not come back counts as lost. */
const PATIENCE = 1000;
const BYTES = 256;

/**
 * Sends chains to an echo device, one after the other.
 *
 * @returns how many came back with every byte right, as "8 of 8"
 */
export async function echo({ driver, core, allocator }: Pair, chains = 8): Promise<string> {
  const [queue] = driver.queues;
  if (queue === undefined) return "no queue";
  const address = allocator.allocate(2 * BYTES);
  let right = 0;
  for (let chain = 0; chain < chains; chain++) {
    const sent = core.view(address, BYTES);
    fillPayload(sent, 1, chain);
    const answer = { address: address + BYTES, length: BYTES };
    queue.add([{ address, length: BYTES }], [answer]);
    await driver.kick(0);
    for (let round = 0; round < PATIENCE && queue.takeUsed(1) === 0; round++) await turn();
    const came = core.view(answer.address, BYTES);
    if (queue.inFlight === 0 && sent.every((byte, i) => byte === came[i])) right++;
  }
  allocator.free(address);
  return `${right} of ${chains}`;
}

/**
 * Sends frames through a network device whose wire brings them back.
 *
 * @returns how many came back with every byte right, as "8 of 8"
 */
export async function frames({ driver, core, allocator }: Pair, count = 8): Promise<string> {
  const net = await NetDriver.start(driver, core, allocator, { receiveBuffers: 8, transmitSlots: 8 });
  let right = 0;
  for (let i = 0; i < count; i++) {
    const frame = new Uint8Array(60 + 100 * i);
    fillPayload(frame, 2, i);
    net.send(frame);
    await net.submit();
    let isBack = false;
    for (let round = 0; round < PATIENCE && !isBack; round++) {
      await turn();
      net.poll((came) => {
        isBack = true;
        if (came.length === frame.length && came.every((byte, at) => byte === frame[at])) right++;
      });
    }
  }
  net.dispose();
  return `${right} of ${count}`;
}

/** Lets the device, its backends and notifications have their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
