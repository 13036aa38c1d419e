/**
 * The core's exports as TypeScript sees them. Every parameter and result is a 32-bit integer; `q` is the linear
 * address of a queue struct, a negative result a code of src/spec/result.ts. assembly/index.ts is the list itself.
 */

/** One driver half: the same verbs for both layouts (§2.7.13, §2.7.14; §2.8.17, §2.8.18). */
export interface DriverVerbs {
  /** Adds up to `chains` submissions, 0…batch; how many fitted, or why the first was refused. */
  add(q: number, chains: number): number;
  /** Shows what was added; 1: send an available buffer notification, 0: don't. */
  publish(q: number): number;
  /** Takes back up to `max` used buffers into the used records; how many. */
  takeUsed(q: number, max: number): number;
  /** Asks for used buffer notifications after `ahead` more buffers (split) or descriptors (packed); 1: look again. */
  arm(q: number, ahead: number): number;
  /** Asks for no used buffer notifications. */
  disarm(q: number): number;
  /** 1: something used was not taken yet. */
  hasUsed(q: number): number;
}

/** One device half: the same verbs for both layouts (§2.7.6 to §2.7.10; §2.8.6 to §2.8.10). */
export interface DeviceVerbs {
  /** Takes up to `max` chains into chain records; how many. */
  take(q: number, max: number): number;
  /** The same into the flat list of assembly/flat.ts, which takes the chain records' place. */
  takeFlat(q: number, max: number): number;
  /** Gives back the chain taken last; 0. */
  undo(q: number, token: number): number;
  /** Uses one chain, `written` bytes from its first writable one on; 0. */
  complete(q: number, token: number, written: number): number;
  /** Uses `count` chains of the completion records, 0…batch; how many, or why the first was refused. */
  completeBatch(q: number, count: number): number;
  /** Uses the first `count` chains of the flat list, 0…batch; how many, or why the first was refused. */
  completeFlat(q: number, count: number): number;
  /** Shows what was used; 1: send a used buffer notification, 0: don't. */
  publish(q: number): number;
  /** Asks for an available buffer notification with the next chain; 1: look again. */
  arm(q: number): number;
  /** Asks for no available buffer notifications. */
  disarm(q: number): number;
  /** 1: something available was not taken yet. */
  hasAvailable(q: number): number;
  /** Takes, serves and completes up to `budget` chains inside WASM; `kind` is a BACKEND_… of assembly/abi.ts. */
  run(q: number, kind: number, budget: number): number;
}

type Prefixed<P extends string, V> = { readonly [K in keyof V & string as `${P}${Capitalize<K>}`]: V[K] };

/** Everything that the module exports. */
export type CoreExports = Prefixed<"splitDriver" | "packedDriver", DriverVerbs> &
  Prefixed<"splitDevice" | "packedDevice", DeviceVerbs> & {
    queueSetUp(
      q: number,
      layout: number,
      size: number,
      features: number,
      notifyId: number,
      descLow: number,
      descHigh: number,
      driverLow: number,
      driverHigh: number,
      deviceLow: number,
      deviceHigh: number,
    ): number;
    queueSetTables(q: number, low: number, high: number, entries: number): number;
    queueTearDown(q: number): void;
    driverReset(q: number): void;
    deviceReset(q: number): void;
    /**
     * `completeFlat(count)`, `publish` and `takeFlat(max)` of either layout in one crossing; the chains taken, plus
     * EXCHANGE_NOTIFY of assembly/abi.ts when the driver wants a used buffer notification (assembly/fused.ts).
     */
    deviceExchange(q: number, count: number, max: number): number;
    /**
     * Adds up the first `count` chains of the flat list, or as many as there are: their readable bytes as a u64 at
     * FLAT_READABLE_BYTES of the queue struct, those that the device says it wrote at FLAT_WRITTEN_BYTES.
     */
    deviceFlatTally(q: number, count: number): void;
    /** `add(chains)`, `publish`, `run`, `publish` and `takeUsed` of either layout in one crossing; the used buffers. */
    queueRoundTrip(driver: number, device: number, kind: number, chains: number): number;
  };

/** The driver verbs of one layout, under their short names. */
export function driverVerbs(exports: CoreExports, layout: "split" | "packed"): DriverVerbs {
  return layout === "packed"
    ? {
        add: exports.packedDriverAdd,
        publish: exports.packedDriverPublish,
        takeUsed: exports.packedDriverTakeUsed,
        arm: exports.packedDriverArm,
        disarm: exports.packedDriverDisarm,
        hasUsed: exports.packedDriverHasUsed,
      }
    : {
        add: exports.splitDriverAdd,
        publish: exports.splitDriverPublish,
        takeUsed: exports.splitDriverTakeUsed,
        arm: exports.splitDriverArm,
        disarm: exports.splitDriverDisarm,
        hasUsed: exports.splitDriverHasUsed,
      };
}

/** The device verbs of one layout, under their short names. */
export function deviceVerbs(exports: CoreExports, layout: "split" | "packed"): DeviceVerbs {
  return layout === "packed"
    ? {
        take: exports.packedDeviceTake,
        takeFlat: exports.packedDeviceTakeFlat,
        undo: exports.packedDeviceUndo,
        complete: exports.packedDeviceComplete,
        completeBatch: exports.packedDeviceCompleteBatch,
        completeFlat: exports.packedDeviceCompleteFlat,
        publish: exports.packedDevicePublish,
        arm: exports.packedDeviceArm,
        disarm: exports.packedDeviceDisarm,
        hasAvailable: exports.packedDeviceHasAvailable,
        run: exports.packedDeviceRun,
      }
    : {
        take: exports.splitDeviceTake,
        takeFlat: exports.splitDeviceTakeFlat,
        undo: exports.splitDeviceUndo,
        complete: exports.splitDeviceComplete,
        completeBatch: exports.splitDeviceCompleteBatch,
        completeFlat: exports.splitDeviceCompleteFlat,
        publish: exports.splitDevicePublish,
        arm: exports.splitDeviceArm,
        disarm: exports.splitDeviceDisarm,
        hasAvailable: exports.splitDeviceHasAvailable,
        run: exports.splitDeviceRun,
      };
}
