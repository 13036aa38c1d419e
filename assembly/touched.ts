// Touched ranges: on demand, what a half wrote to guest memory, in publication order, so that a remote memory
// or a JIT stays coherent. Each half has a log of { u32 linear address, u32 length }; the host reads and
// empties it. A full log is BUFFER_TOO_SHORT before anything is consumed. Costs one test when unused.
import { LOG_ENTRY_BYTES } from "./abi";
import { deviceLogCount, setDeviceLogCount } from "./device-state";
import { driverLogCount, setDriverLogCount } from "./driver-state";
import { deviceLog, driverLog, isLogged, logEntries } from "./queue-state";

/** Entries that adding and completing leave free for publishing and arming, which write at most 2 each. */
const RESERVE: u32 = 8;

/** Appends a range, or lengthens the last one when the new range goes on where that one ends. */
function append(log: usize, count: u32, address: usize, length: u32): u32 {
  if (count) {
    const last = log + <usize>(count - 1) * LOG_ENTRY_BYTES;
    const lastLength = load<u32>(last, 4);
    if (<usize>load<u32>(last) + lastLength == address) {
      store<u32>(last, lastLength + length, 4);
      return count;
    }
  }
  const entry = log + <usize>count * LOG_ENTRY_BYTES;
  store<u32>(entry, <u32>address);
  store<u32>(entry, length, 4);
  return count + 1;
}

/** True when the driver's log takes `ranges` more (always, when touched ranges are off). */
export function driverLogRoom(q: usize, ranges: u32): bool {
  return !isLogged(q) || driverLogCount(q) + ranges + RESERVE <= logEntries(q);
}

/** True when publishing or arming finds room in the driver's log. */
export function driverLogReserve(q: usize): bool {
  return !isLogged(q) || driverLogCount(q) + 2 <= logEntries(q);
}

export function deviceLogRoom(q: usize, ranges: u32): bool {
  return !isLogged(q) || deviceLogCount(q) + ranges + RESERVE <= logEntries(q);
}

export function deviceLogReserve(q: usize): bool {
  return !isLogged(q) || deviceLogCount(q) + 2 <= logEntries(q);
}


@inline
export function driverTouched(q: usize, address: usize, length: u32): void {
  if (isLogged(q)) setDriverLogCount(q, append(driverLog(q), driverLogCount(q), address, length));
}


@inline
export function deviceTouched(q: usize, address: usize, length: u32): void {
  if (isLogged(q)) setDeviceLogCount(q, append(deviceLog(q), deviceLogCount(q), address, length));
}
