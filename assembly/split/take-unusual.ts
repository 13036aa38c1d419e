// The long way to take a chain from a split virtqueue: walked descriptor by descriptor until it is clear what is wrong
// with it, if anything (§2.7.5, §2.7.5.3). Table elements and buffers are judged in chain.ts.
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT } from "../../src/spec/queue";
import {
  BUFFER_TOO_SHORT,
  CHAIN_TOO_LONG,
  DESC_INDEX_RANGE,
  DESC_NEXT_RANGE,
  HEAD_IN_FLIGHT,
  INDIRECT_NOT_NEGOTIATED,
  INDIRECT_WITH_NEXT,
} from "../../src/spec/result";
import { CHAIN_RECORD_BYTES, FEATURE_INDIRECT, OPTION_RECOVER } from "../abi";
import { beginChain, chainWritableTotal, endChain, pushDescriptor, pushLinkedTable } from "../chain";
import { deviceAvail, deviceInFlight, setDeviceAvail, setDeviceInFlight } from "../device-state";
import { blame, desc, deviceShadow, driverArea, features, size } from "../queue-state";
import { occupy, RECOVERED, shadowAt, shadowCount, tokenOf } from "../shadow";
import { availEntry, availEntryAt, descAddr, descTail, tailFlags, tailLength, tailNext } from "./layout";

/** Takes the next chain the long way into `record`, whose segments end before `end`; 0, or why not. */
export function takeUnusual(q: usize, record: usize, end: usize): i32 {
  const turn = deviceAvail(q);
  const head = availEntry(availEntryAt(driverArea(q), turn & (size(q) - 1)));
  if (head >= size(q)) return blame(q, DESC_INDEX_RANGE, head, size(q));
  const entry = shadowAt(deviceShadow(q), head);
  if (shadowCount(entry)) return blame(q, HEAD_IN_FLIGHT, head, deviceInFlight(q)); // §2.7.13.1: it is not free
  if (record + CHAIN_RECORD_BYTES > end) return BUFFER_TOO_SHORT;
  beginChain(q, record, end);
  const code = walk(q, head);
  if (code < 0) {
    if (code == BUFFER_TOO_SHORT || !(features(q) & OPTION_RECOVER)) return code;
    beginChain(q, record, end); // handed over empty, to be completed with length 0
  }
  const generation = occupy(entry, turn, 1, head, code < 0 ? RECOVERED : chainWritableTotal());
  endChain(record, tokenOf(head, generation), code);
  setDeviceAvail(q, (turn + 1) & 0xffff);
  setDeviceInFlight(q, deviceInFlight(q) + 1);
  return 0;
}

/** Follows `next` from `head` for at most size descriptors (§2.7.5), into a table if one ends the chain (§2.7.5.3). */
function walk(q: usize, head: u32): i32 {
  const table = desc(q);
  const n = size(q);
  let slot = head;
  let visited: u32 = 1;
  while (true) {
    const tail = descTail(table, slot);
    const flags = tailFlags(tail);
    if (flags & VIRTQ_DESC_F_INDIRECT) {
      if (!(features(q) & FEATURE_INDIRECT)) return blame(q, INDIRECT_NOT_NEGOTIATED, slot, flags); // §2.7.5.3.1
      if (flags & VIRTQ_DESC_F_NEXT) return blame(q, INDIRECT_WITH_NEXT, slot, flags); // §2.7.5.3.1
      return pushLinkedTable(q, descAddr(table, slot), tailLength(tail), visited - 1); // WRITE is ignored, §2.7.5.3.2
    }
    const code = pushDescriptor(descAddr(table, slot), tailLength(tail), flags);
    if (code < 0) return code;
    if (!(flags & VIRTQ_DESC_F_NEXT)) return 0;
    slot = tailNext(tail);
    if (slot >= n) return blame(q, DESC_NEXT_RANGE, slot, n);
    if (visited == n) return blame(q, CHAIN_TOO_LONG, n + 1, n); // more steps than descriptors: a loop
    visited++;
  }
}
