/** The checksum that a driver may leave to its device: ones' complement sum over 16-bit words (§5.1.6.2, RFC 1071). */
import type { NetHeader } from "../negotiation/net-header";

/**
 * A copy of a frame with its checksum filled in.
 *
 * @param header says where the sum begins and where it goes; both bytes lie within the frame
 */
export function withChecksum(frame: Uint8Array, { csumStart, csumOffset }: NetHeader): Uint8Array {
  let sum = 0;
  for (let i = csumStart; i < frame.length; i += 2) sum += ((frame[i] ?? 0) << 8) | (frame[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  // A sum of zero would say "no checksum" in UDP (RFC 768); its other form says the same to TCP.
  const checksum = ~sum & 0xffff || 0xffff;
  const whole = frame.slice();
  whole[csumStart + csumOffset] = checksum >>> 8;
  whole[csumStart + csumOffset + 1] = checksum & 0xff;
  return whole;
}
