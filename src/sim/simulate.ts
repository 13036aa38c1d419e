/**
 * A simulation in one call: a driver and an echo device negotiate, the workload goes through the ring that follows
 * from what was negotiated, every byte is checked, and a report says what happened and what it cost.
 */
import { loadCore } from "../core/core";
import { EchoModel } from "../models/echo";
import { GuestAllocator } from "../virtqueue/guest-allocator";
import { EchoCheck } from "./echo-check";
import { bufferBytes, type EchoRunHooks, runEcho } from "./echo-run";
import type { SimReport } from "./metrics";
import { fillPayload } from "./payload";
import { timeRings } from "./ring-timer";
import { type NegotiationOptions, QUEUE_SIZE, Session } from "./session";
import { planWorkload, type WorkloadOptions } from "./workload";

/** What to simulate; everything has a default. */
export interface SimulateOptions extends NegotiationOptions {
  readonly workload?: WorkloadOptions;
  /** Where the bytes come from, a u32: the same seed gives the same counters and digests. Default 1. */
  readonly seed?: number;
  /** Measure the rings alone (about 0.2 s). Default true; without it `nsPerChain.rings` is 0. */
  readonly timeRings?: boolean;
  /** Hears now and then how many chains came back. */
  readonly onProgress?: (chains: number, all: number) => void;
  /** Fault injection, see EchoRunHooks. */
  readonly tamper?: NonNullable<EchoRunHooks["tamper"]>;
}

const BREATH_MS = 100;
const NOTHING_SENT = {
  algorithm: "xxh32",
  sent: "",
  received: "",
  mismatches: 0,
  firstMismatch: null,
} as const;

/**
 * Runs one simulation.
 *
 * @returns the report; a refused negotiation and bytes that differ are outcomes, not errors
 * @throws VirtioError for options that can't work: UNKNOWN_NAME naming the nearest, BAD_ARGUMENT,
 *   QUEUE_SIZE_INVALID, INDIRECT_NOT_NEGOTIATED
 */
export async function simulate(options: SimulateOptions = {}): Promise<SimReport> {
  const { seed = 1, queueSize = QUEUE_SIZE, indirect = false } = options;
  const workload = planWorkload(options.workload ?? {}, queueSize, indirect);
  const check = new EchoCheck(workload, seed);
  const ringBytes = Session.guestBytes(queueSize, indirect, workload.buffers);
  const chainBytes = workload.readableBytes + workload.writableBytes + 16 * workload.buffers;
  // Twice the ring, and one chain's buffers more: the rings are measured on their own.
  const guestBytes = roundUp(2 * ringBytes + bufferBytes(workload) + chainBytes, 65536);
  const core = await loadCore({ guestBytes });
  const allocator = new GuestAllocator(core);
  const model = new EchoModel({
    queueSize,
    onTaken: (bytes) => check.taken(bytes),
    source: (target, chain, offset) => answerFromSeed(target, seed, chain, offset, workload.writableBytes),
  });
  const started = performance.now();
  const session = await Session.open({
    ...options,
    core,
    allocator,
    model,
    buffers: workload.buffers,
    share: workload.batch,
  });
  const { result, notifications } = session;
  let chains = 0;
  if (result.ok)
    chains = await runEcho(session, workload, check, hooksOf(options, workload.chains), indirect);
  const seconds = (performance.now() - started) / 1000;
  const integrity = result.ok ? check.result() : NOTHING_SENT;
  const rings =
    result.ok && options.timeRings !== false && chains > 0
      ? timeRings(core, allocator, result.ring, queueSize, workload, indirect)
      : 0;
  return {
    kind: "echo",
    outcome: !result.ok ? "refused" : integrity.mismatches === 0 ? "completed" : "mismatch",
    ...session.report(),
    queueSize,
    indirect,
    seed,
    batch: workload.batch,
    chains,
    descriptors: chains * workload.descriptors,
    bytes: check.bytes,
    notifications,
    integrity,
    seconds,
    nsPerChain: chains > 0 ? { rings, total: (seconds * 1e9) / chains } : null,
    disk: null,
    capture: null,
  };
}

function hooksOf({ tamper, onProgress }: SimulateOptions, all: number): EchoRunHooks {
  let last = performance.now();
  return {
    ...(tamper === undefined ? {} : { tamper }),
    breathe(chains) {
      const now = performance.now();
      if (now - last < BREATH_MS) return undefined;
      last = now;
      onProgress?.(chains, all);
      // Lets timers and signals of the host in.
      return new Promise((resolve) => setTimeout(resolve, 0));
    },
  };
}

/** What a chain without readable bytes is answered with: one stream for all of its segments (see fillAnswer). */
function answerFromSeed(
  target: Uint8Array,
  seed: number,
  chain: number,
  offset: number,
  bytes: number,
): void {
  if (offset === 0 && target.length === bytes) {
    fillPayload(target, ~seed, chain);
    return;
  }
  const whole = new Uint8Array(bytes);
  fillPayload(whole, ~seed, chain);
  target.set(whole.subarray(offset, offset + target.length));
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
