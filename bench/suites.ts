/** The suites: which workloads, on which rings. */
import { REQUESTS } from "./end-to-end/stack";
import { EFFORT, type Effort } from "./measure";
import type { Workload } from "./ring";
import { SHARED_NAMES } from "./shared/names";
import { payloadShape, requestShape, SHAPES, type WorkloadChoice } from "./workload";

/** One workload of a suite. */
export interface Cell {
  /** Rows of a table that stand together: "3-indirect". */
  readonly group: string;
  /** The column: "batch 32". */
  readonly column: string;
  readonly choice: WorkloadChoice;
}

export interface Suite {
  readonly name: string;
  /** What it shows, for `--list`. */
  readonly about: string;
  readonly rings: readonly string[];
  readonly cells: readonly Cell[];
  /** How long and how often, if not as the others. */
  readonly effort?: Effort;
}

const BATCHES = [1, 32, 256];
const QUICK_RINGS = [
  "none",
  "wasm-split",
  "wasm-packed",
  "js-plain-split",
  "js-plain-packed",
  "native-plain-split",
  "native-plain-packed",
];
const LOOPBACK_RINGS = [
  ...QUICK_RINGS.slice(0, 3),
  "wasm-packed-in-order",
  "wasm-packed-in-order-scalar",
  "wasm-loopback-split",
  "wasm-loopback-packed",
  ...QUICK_RINGS.slice(3, 5),
  "js-tuned-split",
  "js-tuned-packed",
  ...QUICK_RINGS.slice(5),
  "native-tuned-split",
  "native-tuned-packed",
];
const WASM_RINGS = ["none", "wasm-split", "wasm-packed", "wasm-packed-in-order"];

const shape = (name: string) => {
  const found = SHAPES[name];
  if (found === undefined) throw new Error(`no shape ${name}`);
  return found;
};

/** Shape × batch, a group for each shape. */
function grid(
  shapes: readonly string[],
  batches: readonly number[],
  choice: Partial<WorkloadChoice> = {},
): Cell[] {
  const suffix = choice.notify ? `, ${choice.notify}` : choice.queueSize ? `, queue ${choice.queueSize}` : "";
  return shapes.flatMap((name) =>
    batches.map((batch) => ({
      group: `${name}${suffix}`,
      column: `batch ${batch}`,
      choice: { ...choice, shape: shape(name), batch },
    })),
  );
}

const ALL_SHAPES = Object.keys(SHAPES);

/** The quick view. */
export const QUICK: Suite = {
  name: "throughput",
  about: "driver + device + reclaim, by chain and batch",
  rings: QUICK_RINGS,
  cells: [...grid(["1"], BATCHES), ...grid(["3", "3-indirect"], [32])],
};

export const SUITES: readonly Suite[] = [
  {
    ...QUICK,
    about: "driver + device + reclaim, by chain, batch, queue size and features",
    rings: LOOPBACK_RINGS,
    cells: [
      ...grid(ALL_SHAPES, BATCHES),
      ...grid(["1"], [32], { queueSize: 64 }),
      ...grid(["1"], [32], { queueSize: 1024 }),
      ...grid(["1"], BATCHES, { notify: "event-idx" }),
    ],
  },
  {
    name: "boundary",
    about: "what crossing into WebAssembly costs, as batches grow",
    rings: WASM_RINGS,
    cells: grid(["1"], [1, 2, 4, 8, 16, 32, 64, 128, 256]),
  },
  {
    name: "device-in-js",
    about: "the device half alone, a stub for a driver: in WebAssembly, in JavaScript, and v86's own",
    rings: ["wasm-device-in-wasm", "wasm-device-flat", "wasm-device-drop-in", "js-device", "v86"],
    cells: grid(ALL_SHAPES, [1, 32, 256]),
  },
  {
    name: "payload",
    about: "an echo of one buffer into another",
    rings: [...WASM_RINGS.slice(0, 3), "js-plain-split", "js-plain-packed"],
    cells: [64, 1500, 4096, 65536].map((bytes) => ({
      group: "echo",
      column: `${bytes} B`,
      choice: { shape: payloadShape(bytes), batch: bytes > 4096 ? 4 : 32, device: "echo" },
    })),
  },
  {
    name: "notify",
    about: "arming and deciding about notifications",
    rings: WASM_RINGS,
    cells: [
      ...grid(["1"], BATCHES),
      ...grid(["1"], BATCHES, { notify: "flags" }),
      ...grid(["1"], BATCHES, { notify: "event-idx" }),
    ],
  },
  {
    name: "end-to-end",
    about: "requests to block and network devices through the whole stack: driver, device, model and payload",
    rings: ["copy", "stack-split", "stack-packed", "stack-packed-in-order"],
    cells: REQUESTS.flatMap((device) =>
      (device === "net" ? [64, 1500] : [512, 4096, 65536]).map((bytes) => ({
        group: device,
        column: `${bytes} B`,
        choice: { shape: requestShape(bytes), batch: 32, device },
      })),
    ),
  },
  {
    name: "scale",
    about: "256 chains in flight on rings of 256 to 32768, and round 1 to 64 queues",
    rings: WASM_RINGS,
    cells: [
      ...[8, 64].map((queueSize) => scaled(queueSize, 1, 8)),
      ...[256, 1024, 4096, 32768].map((queueSize) => scaled(queueSize, 1, 256)),
      ...[1, 4, 16, 64].map((queues) => scaled(256, queues, 32)),
    ],
  },
  {
    name: "shared",
    about: "driver and device in two workers on one shared memory, spinning and sleeping",
    rings: ["none", ...SHARED_NAMES],
    cells: [
      ...shared("spinning", "off"),
      ...shared("sleeping, flags", "flags"),
      ...shared("sleeping, event-idx", "event-idx"),
    ],
    // Waking a worker takes as long as a whole sample of the other suites, and a sample must fill the ring a few times.
    effort: { ...EFFORT, samples: 40, sampleNs: 5_000_000, leastChains: 2048 },
  },
];

function scaled(queueSize: number, queues: number, batch: number): Cell {
  const column = queues > 1 || batch === 32 ? `${queues} queues` : `ring ${queueSize}`;
  return { group: column, column: `batch ${batch}`, choice: { shape: shape("1"), batch, queueSize, queues } };
}

/** A ring that holds two of the largest batches, so that both sides always have something to do. */
function shared(group: string, notify: Workload["notify"]): Cell[] {
  return grid(["1"], BATCHES, { notify, queueSize: 512 }).map((cell) => ({ ...cell, group }));
}
