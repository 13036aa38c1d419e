/** An access of the driver to a register as an event, whoever saw it: a tap on a port, or one on an emulator's bus. */
import { type ControlEvent, hex, type RegisterAccess, type RegisterName } from "../negotiation/control-event";

/** The step of an event, and its section in virtio 1.4. */
interface Kind {
  readonly step: string;
  readonly section: string;
  /** What is accessed. */
  field(access: RegisterAccess): string;
}

const queue = ({ index }: RegisterAccess) => `queue ${index}`;

/** As a device's own events call them. */
const KINDS: Readonly<Record<RegisterName, Kind>> = {
  status: { step: "status", section: "2.1", field: () => "status" },
  "device-features": { step: "features", section: "2.2", field: ({ index }) => `offered word ${index}` },
  "driver-features": { step: "features", section: "2.2", field: ({ index }) => `accepted word ${index}` },
  config: { step: "config", section: "2.5", field: ({ index }) => `offset ${index}` },
  "config-generation": { step: "config", section: "2.5", field: () => "generation" },
  "queue-size": { step: "queue", section: "2.6", field: queue },
  "queue-enable": { step: "queue", section: "2.6", field: queue },
  "queue-reset": { step: "queue", section: "2.6.1", field: queue },
  notify: { step: "notify", section: "2.9", field: () => "queue" },
};

/**
 * The event of an access.
 *
 * @param side who tells of it
 * @param before what the register showed, for a write where that is known
 */
export function accessEvent(
  side: ControlEvent["side"],
  access: RegisterAccess,
  before?: string,
): ControlEvent {
  const { register, how, value } = access;
  const { step, section, field } = KINDS[register];
  const isReset = register === "status" && how === "write" && value === 0;
  return {
    side,
    step,
    field: field(access),
    ...(before !== undefined && { before }),
    after: text(access),
    section: isReset ? "2.4" : section,
    note: how === "read" ? "read" : "written",
    access,
  };
}

/** A register's value as the events show it: counts in decimal, all else in hexadecimal of its width. */
function text({ register, bytes = 1, value }: RegisterAccess): string {
  if (register.startsWith("queue") || register === "config-generation") return `${value}`;
  if (register.endsWith("features") || register === "notify") return hex(value, 8);
  return hex(value, 2 * bytes);
}
