/**
 * Where two workers meet: one shared memory with guest RAM and the state of both halves, and a few words besides the
 * ring that notifications go through. Each worker runs a ring core of its own, of the `shared` build, and one half.
 */
import * as abi from "../../assembly/abi";
import { type Core, loadCoreSync } from "../../src/core/core";
import { stateBytes } from "../../src/core/state-area";
import { NotMeasured, type Workload } from "../ring";
import { makeQueue, type Place, type WasmKind } from "../rings/wasm-queue";
import { guestBytes } from "../workload";

export type Role = "driver" | "device";

/** What a worker gets to know; goes through `postMessage` as it is. */
export interface Meeting {
  readonly kind: WasmKind;
  readonly workload: Workload;
  readonly memory: WebAssembly.Memory;
  /** Words by `WORD`, all 0 at first. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** A build of the core other than the embedded one. */
  readonly module?: WebAssembly.Module;
}

/** Indices of the words, each in lines of its own. */
export const WORD = {
  stopped: 0,
  driverBell: 32,
  deviceBell: 64,
  deviceRun: 96,
  driverStep: 128,
  deviceStep: 160,
};
const WORDS = 192;
const PAGE = 65536;

const pagesOf = (bytes: number): number => Math.ceil(bytes / PAGE);

/**
 * Makes the memory and the words.
 *
 * @throws NotMeasured where no memory can be shared
 */
export function makeMeeting(kind: WasmKind, workload: Workload, module?: WebAssembly.Module): Meeting {
  if (typeof SharedArrayBuffer === "undefined") {
    throw new NotMeasured("nothing is shared between workers here: the page is not cross-origin isolated");
  }
  const pages = 1 + pagesOf(guestBytes(workload)) + 2 * statePages(workload);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const words = new Int32Array(new SharedArrayBuffer(4 * WORDS));
  return { kind, workload, memory, words, ...(module && { module }) };
}

/** One half: its core, and where its queue is. */
export interface Half {
  readonly core: Core;
  readonly place: Place;
}

/** Sets up one half, in its own part of the memory. */
export function openHalf({ kind, workload, memory, module }: Meeting, role: Role): Half {
  const size = guestBytes(workload);
  const pages = statePages(workload);
  const base = PAGE * (1 + pagesOf(size) + (role === "device" ? pages : 0));
  const core = loadCoreSync({
    memory,
    regions: [{ gpa: 0, base: PAGE, size }],
    state: { base, size: pages * PAGE },
    ...(module && { module }),
  });
  const roles = role === "driver" ? abi.ROLE_DRIVER : abi.ROLE_DEVICE;
  return { core, place: makeQueue(core, kind, workload, 0, roles) };
}

function statePages({ queueSize, batch }: Workload): number {
  return pagesOf(stateBytes({ queues: 1, maxQueueSize: queueSize, batch }));
}
