/**
 * A tap on a port: passes every call on and tells of it, for devices that don't tell themselves (QEMU, another
 * process) and for drivers that aren't ours. One event an access and an interrupt, as src/conformance judges them. A
 * write is told before it is passed on, so that what the device does about it comes after; a read when it is answered.
 */
import type { Awaitable, NotificationHandler, PortQueueSetup, TransportPort } from "../driver/port";
import { type ControlEvent, type EventSink, hex, type RegisterAccess } from "../negotiation/control-event";
import { VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK, VIRTIO_CONFIG_S_SUSPEND as SUSPEND } from "../spec/status";

/** What a tap tells of. */
export interface PortTapOptions {
  /** Also of available and used buffer notifications on a running device: the hot path. Default false. */
  readonly whileLive?: boolean;
}

/**
 * The port, tapped. It answers at once where `port` does, and by Promise where `port` does.
 *
 * @param port the port to be told of; its optional parts stay absent if they are
 * @param sink takes the events, of side "driver" for accesses and "device" for interrupts
 */
export function tapPort(
  port: TransportPort,
  sink: EventSink,
  { whileLive = false }: PortTapOptions = {},
): TransportPort {
  /** The status as last read or written, for the events' `before`. */
  let status: number | undefined;
  /** Running, and nobody has asked it to suspend. */
  const isLive = () => ((status ?? 0) & (DRIVER_OK | SUSPEND)) === DRIVER_OK;
  const tell = (access: RegisterAccess, event: Omit<ControlEvent, "side" | "access">): void =>
    sink({ side: "driver", ...event, access });
  const read = (
    access: Omit<RegisterAccess, "how" | "value">,
    section: string,
    field: string,
    value: number,
  ) => {
    const after = text({ ...access, value });
    tell({ ...access, how: "read", value }, { step: stepOf(access), field, after, section, note: "read" });
  };
  const write = (access: Omit<RegisterAccess, "how">, section: string, field: string, before?: string) => {
    const change = { ...(before === undefined ? {} : { before }), after: text(access) };
    tell({ ...access, how: "write" }, { step: stepOf(access), field, ...change, section, note: "written" });
  };
  return {
    deviceId: port.deviceId,
    transport: port.transport,
    ...(port.copiesMemory === undefined ? {} : { copiesMemory: port.copiesMemory }),
    ...(port.fixedQueueSize === undefined ? {} : { fixedQueueSize: port.fixedQueueSize }),
    ...(port.refusal === undefined ? {} : { refusal: () => port.refusal?.() }),
    readDeviceFeatures: (word) =>
      answered(port.readDeviceFeatures(word), (value) =>
        read({ register: "device-features", index: word }, "2.2", `offered word ${word}`, value),
      ),
    writeDriverFeatures: (word, value) => {
      write({ register: "driver-features", index: word, value: value >>> 0 }, "2.2", `accepted word ${word}`);
      return port.writeDriverFeatures(word, value);
    },
    readStatus: () =>
      answered(port.readStatus(), (value) => {
        status = value;
        read({ register: "status" }, "2.1", "status", value);
      }),
    writeStatus: (value) => {
      const before = status === undefined ? undefined : hex(status);
      status = value;
      write({ register: "status", value }, value === 0 ? "2.4" : "2.1", "status", before);
      return port.writeStatus(value);
    },
    readConfig: (offset, bytes) =>
      answered(port.readConfig(offset, bytes), (value) =>
        read({ register: "config", index: offset, bytes }, "2.5", `offset ${offset}`, value),
      ),
    writeConfig: (offset, bytes, value) => {
      write({ register: "config", index: offset, bytes, value: value >>> 0 }, "2.5", `offset ${offset}`);
      return port.writeConfig(offset, bytes, value);
    },
    configGeneration: () =>
      answered(port.configGeneration(), (value) =>
        read({ register: "config-generation" }, "2.5", "generation", value),
      ),
    queueMaxSize: (index) =>
      answered(port.queueMaxSize(index), (value) =>
        read({ register: "queue-size", index }, "2.6", `queue ${index}`, value),
      ),
    enableQueue: (index: number, setup: PortQueueSetup) => {
      write({ register: "queue-enable", index, value: setup.size }, "2.6", `queue ${index}`);
      return port.enableQueue(index, setup);
    },
    queueReady: (index) =>
      answered(port.queueReady(index), (isReady) =>
        read({ register: "queue-enable", index }, "2.6", `queue ${index}`, isReady ? 1 : 0),
      ),
    ...(port.resetQueue === undefined
      ? {}
      : {
          resetQueue: (index: number) => {
            write({ register: "queue-reset", index, value: 1 }, "2.6.1", `queue ${index}`);
            return port.resetQueue?.(index);
          },
        }),
    ...(port.queueInReset === undefined
      ? {}
      : {
          queueInReset: (index: number) =>
            answered(port.queueInReset?.(index) ?? false, (isResetting) =>
              read({ register: "queue-reset", index }, "2.6.1", `queue ${index}`, isResetting ? 1 : 0),
            ),
        }),
    ...(port.disableQueue === undefined
      ? {}
      : {
          disableQueue: (index: number) => {
            write({ register: "queue-enable", index, value: 0 }, "2.6", `queue ${index}`);
            return port.disableQueue?.(index);
          },
        }),
    notify: (kickValue) => {
      if (whileLive || !isLive()) write({ register: "notify", value: kickValue >>> 0 }, "2.9", "queue");
      return port.notify(kickValue);
    },
    onInterrupt: (handler: NotificationHandler) =>
      port.onInterrupt((kind, queue) => {
        const which = queue === undefined ? {} : { note: `queue ${queue}` };
        if (kind === "config" || whileLive || !isLive()) {
          sink({ side: "device", step: "interrupt", field: kind, section: "2.3", ...which });
        }
        handler(kind, queue);
      }),
  };
}

/** The event's step for a register, as the device's own events call it. */
function stepOf({ register }: Pick<RegisterAccess, "register">): string {
  if (register === "device-features" || register === "driver-features") return "features";
  if (register === "config-generation") return "config";
  return register === "queue-size" || register === "queue-enable" || register === "queue-reset"
    ? "queue"
    : register;
}

/** A register's value as the events show it: counts in decimal, all else in hexadecimal of its width. */
function text({ register, bytes = 1, value }: Pick<RegisterAccess, "register" | "bytes" | "value">): string {
  if (register.startsWith("queue") || register === "config-generation") return `${value}`;
  if (register.endsWith("features") || register === "notify") return hex(value, 8);
  return hex(value, 2 * bytes);
}

/** Tells of an answer when it is there, now or later. */
function answered<T>(answer: Awaitable<T>, tell: (value: T) => void): Awaitable<T> {
  if (answer instanceof Promise) {
    return answer.then((value) => {
      tell(value);
      return value;
    });
  }
  tell(answer);
  return answer;
}
