/**
 * The schedule of an echo workload, on one thread and the same every time: the driver fills the queue batch by batch
 * and waits for a notification, the device serves a batch for each publish. Who is notified how often follows from
 * what was negotiated.
 */
import type { Segment } from "../virtqueue/driver-queue";
import type { EchoCheck } from "./echo-check";
import type { Session } from "./session";
import type { Workload } from "./workload";

/** Hooks into a run. */
export interface EchoRunHooks {
  /** Called now and then; a Promise holds the run up until it settles. */
  readonly breathe?: (chains: number) => Promise<void> | undefined;
  /**
   * Fault injection: called when a chain's bytes lie in guest memory and the device has not seen them yet.
   *
   * @param memory all of the memory; `addresses` are linear, of the readable buffers and then of the writable ones
   */
  readonly tamper?: (chain: number, memory: Uint8Array, addresses: readonly number[]) => void;
}

/** Where the buffers of one chain in flight lie. */
interface Place {
  readonly readable: readonly Segment[];
  readonly writable: readonly Segment[];
  /** Linear addresses, readable ones first. */
  readonly addresses: readonly number[];
}

const ALIGN = 16;

/** Guest bytes for the buffers of all chains in flight. */
export function bufferBytes({ inFlight, readable, writable }: Workload): number {
  return inFlight * [...readable, ...writable].reduce((sum, length) => sum + roundUp(length), 0);
}

/**
 * Moves all chains of a workload through a session.
 *
 * @returns chains that came back
 */
export async function runEcho(
  session: Session,
  workload: Workload,
  check: EchoCheck,
  hooks: EchoRunHooks,
  indirect: boolean,
): Promise<number> {
  const run = new EchoRun(session, workload, check, hooks, indirect);
  for (let rounds = 1; !run.isDone; rounds++) {
    run.round();
    if (rounds % 64 === 0) await hooks.breathe?.(run.returned);
  }
  return run.returned;
}

class EchoRun {
  returned = 0;
  private sent = 0;
  private stuck = false;
  private readonly session: Session;
  private readonly workload: Workload;
  private readonly check: EchoCheck;
  private readonly tamper: EchoRunHooks["tamper"];
  private readonly how: { readonly indirect: boolean };
  private readonly places: readonly Place[];
  private readonly chainOfSlot: Float64Array;

  constructor(
    session: Session,
    workload: Workload,
    check: EchoCheck,
    hooks: EchoRunHooks,
    indirect: boolean,
  ) {
    this.session = session;
    this.workload = workload;
    this.check = check;
    this.tamper = hooks.tamper;
    this.how = { indirect };
    this.places = placeBuffers(session, workload);
    this.chainOfSlot = new Float64Array(session.queue.size);
  }

  get isDone(): boolean {
    return this.stuck || this.returned === this.workload.chains;
  }

  round(): void {
    const { session } = this;
    const before = this.returned + this.sent;
    session.turn(
      () => this.reclaim(),
      () => {
        while (this.hasRoom()) this.sendBatch();
      },
    );
    this.stuck = before === this.returned + this.sent && !session.queue.hasUsed();
  }

  private hasRoom(): boolean {
    const { chains, batch, inFlight } = this.workload;
    const next = Math.min(batch, chains - this.sent);
    return next > 0 && this.session.queue.inFlight + next <= inFlight;
  }

  private sendBatch(): void {
    const { chains, batch } = this.workload;
    const end = Math.min(chains, this.sent + batch);
    while (this.sent < end) this.send(this.sent++);
    this.session.publish();
  }

  private send(chain: number): void {
    const { queue, core } = this.session;
    const place = this.place(chain);
    const memory = core.bytes();
    const payload = this.check.payload(chain);
    let from = 0;
    for (const [i, { length }] of place.readable.entries()) {
      memory.set(payload.subarray(from, from + length), place.addresses[i] ?? 0);
      from += length;
    }
    // What an earlier chain left there must not pass for an answer.
    for (const view of this.writableViews(place)) view.fill(0);
    this.tamper?.(chain, memory, place.addresses);
    const token = queue.add(place.readable, place.writable, this.how);
    this.chainOfSlot[queue.slot(token)] = chain;
  }

  private reclaim(): void {
    const { queue } = this.session;
    for (let taken = queue.takeUsed(); taken > 0; taken = queue.takeUsed()) {
      for (let i = 0; i < taken; i++) {
        const chain = this.chainOfSlot[queue.slot(queue.used.token(i))] ?? 0;
        this.check.returned(chain, queue.used.length(i), this.writableViews(this.place(chain)));
      }
      this.returned += taken;
    }
  }

  private place(chain: number): Place {
    const place = this.places[chain % this.workload.inFlight];
    if (place === undefined) throw new RangeError(`chain ${chain} has no place`);
    return place;
  }

  private writableViews({ readable, writable, addresses }: Place): Uint8Array[] {
    const memory = this.session.core.bytes();
    return writable.map(({ length }, i) => {
      const address = addresses[readable.length + i] ?? 0;
      return memory.subarray(address, address + length);
    });
  }
}

function placeBuffers({ allocator, core }: Session, workload: Workload): Place[] {
  let next = allocator.allocate(bufferBytes(workload), ALIGN);
  const segment = (length: number): Segment => {
    const address = next;
    next += roundUp(length);
    return { address, length };
  };
  return Array.from({ length: workload.inFlight }, () => {
    const readable = workload.readable.map(segment);
    const writable = workload.writable.map(segment);
    const addresses = [...readable, ...writable].map(({ address, length }) =>
      core.translate(address, length),
    );
    return { readable, writable, addresses };
  });
}

function roundUp(length: number): number {
  return Math.ceil(length / ALIGN) * ALIGN;
}
