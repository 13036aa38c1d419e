/**
 * What a network device is plugged into (§5.1): the interface behind the model, and the two shortest cables.
 * A wire never sees a ring or a buffer.
 */
import type { NetHeader } from "../negotiation/net-header";

/** Hears the frames that a driver transmits. */
export interface NetWire {
  /**
   * Takes a frame. The bytes are a copy and the wire's to keep, but not to change once it handed them to a `receive`.
   * The driver gets its buffer back when this returns or its Promise settles; a failure loses the frame.
   *
   * @param frame from the destination address on, without a checksum at its end; 14 bytes and up
   * @param header what is left to do with it: nothing, unless CSUM or a HOST_ feature was negotiated
   */
  send(frame: Uint8Array, header: NetHeader): void | Promise<void>;
}

/** What a wire can be plugged into. */
export interface NetPlug {
  wire: NetWire | undefined;
  receive(frame: Uint8Array, header?: NetHeader): boolean;
}

/** Has every frame come back to the device that sent it. */
export function loopWire(model: NetPlug): void {
  joinWires(model, model);
}

/** Connects two devices: each receives what the other one sends. */
export function joinWires(a: NetPlug, b: NetPlug): void {
  a.wire = { send: (frame, header) => void b.receive(frame, header) };
  b.wire = { send: (frame, header) => void a.receive(frame, header) };
}
