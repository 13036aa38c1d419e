/**
 * A tap on a port: passes every call on and tells of it, for devices that don't tell themselves (QEMU, another
 * process) and for drivers that aren't ours. One event an access and an interrupt, as src/conformance judges them. A
 * write is told before it is passed on, so that what the device does about it comes after; a read when it is answered.
 */
import type { Awaitable, NotificationHandler, PortQueueSetup, TransportPort } from "../driver/port";
import { type EventSink, hex, type RegisterAccess } from "../negotiation/control-event";
import { VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK, VIRTIO_CONFIG_S_SUSPEND as SUSPEND } from "../spec/status";
import { accessEvent } from "./access-event";

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
  const read = (access: Omit<RegisterAccess, "how" | "value">, value: number) =>
    sink(accessEvent("driver", { ...access, how: "read", value }));
  const write = (access: Omit<RegisterAccess, "how">, before?: string) =>
    sink(accessEvent("driver", { ...access, how: "write" }, before));
  return {
    deviceId: port.deviceId,
    transport: port.transport,
    ...(port.copiesMemory === undefined ? {} : { copiesMemory: port.copiesMemory }),
    ...(port.fixedQueueSize === undefined ? {} : { fixedQueueSize: port.fixedQueueSize }),
    ...(port.refusal === undefined ? {} : { refusal: () => port.refusal?.() }),
    readDeviceFeatures: (word) =>
      answered(port.readDeviceFeatures(word), (value) =>
        read({ register: "device-features", index: word }, value),
      ),
    writeDriverFeatures: (word, value) => {
      write({ register: "driver-features", index: word, value: value >>> 0 });
      return port.writeDriverFeatures(word, value);
    },
    readStatus: () =>
      answered(port.readStatus(), (value) => {
        status = value;
        read({ register: "status" }, value);
      }),
    writeStatus: (value) => {
      const before = status === undefined ? undefined : hex(status);
      status = value;
      write({ register: "status", value }, before);
      return port.writeStatus(value);
    },
    readConfig: (offset, bytes) =>
      answered(port.readConfig(offset, bytes), (value) =>
        read({ register: "config", index: offset, bytes }, value),
      ),
    writeConfig: (offset, bytes, value) => {
      write({ register: "config", index: offset, bytes, value: value >>> 0 });
      return port.writeConfig(offset, bytes, value);
    },
    configGeneration: () =>
      answered(port.configGeneration(), (value) => read({ register: "config-generation" }, value)),
    queueMaxSize: (index) =>
      answered(port.queueMaxSize(index), (value) => read({ register: "queue-size", index }, value)),
    enableQueue: (index: number, setup: PortQueueSetup) => {
      write({ register: "queue-enable", index, value: setup.size });
      return port.enableQueue(index, setup);
    },
    queueReady: (index) =>
      answered(port.queueReady(index), (isReady) =>
        read({ register: "queue-enable", index }, isReady ? 1 : 0),
      ),
    ...(port.resetQueue === undefined
      ? {}
      : {
          resetQueue: (index: number) => {
            write({ register: "queue-reset", index, value: 1 });
            return port.resetQueue?.(index);
          },
        }),
    ...(port.queueInReset === undefined
      ? {}
      : {
          queueInReset: (index: number) =>
            answered(port.queueInReset?.(index) ?? false, (isResetting) =>
              read({ register: "queue-reset", index }, isResetting ? 1 : 0),
            ),
        }),
    ...(port.disableQueue === undefined
      ? {}
      : {
          disableQueue: (index: number) => {
            write({ register: "queue-enable", index, value: 0 });
            return port.disableQueue?.(index);
          },
        }),
    notify: (kickValue) => {
      if (whileLive || !isLive()) write({ register: "notify", value: kickValue >>> 0 });
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
