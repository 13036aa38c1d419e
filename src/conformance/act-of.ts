/** What an access of the driver amounts to, and which configuration fields it touches (§2.5, §3.1). */

import type { ConfigLayout } from "../negotiation/config-table";
import type { RegisterAccess } from "../negotiation/control-event";
import type { Act } from "./act";
import { layoutOf } from "./context";
import type { Run } from "./run";

/** What an access amounts to; undefined if it is free at any time. */
export function actOf(run: Run, access: RegisterAccess): Act | undefined {
  const { register, how, value, index = 0 } = access;
  if (register === "status") return undefined;
  if (register === "notify") return "notify";
  if (how === "read") return register === "queue-size" ? "find-queue" : "look";
  if (register === "driver-features") return acceptance(run, index, value >>> 0);
  if (register === "config") return isFreeWrite(run, access) ? undefined : "write-config";
  if (register === "queue-enable") return value === 0 ? "stop-queue" : "enable-queue";
  return register === "queue-reset" ? "reset-queue" : undefined;
}

/** The fields that an access to the configuration touches. */
export function touchedFields(run: Run, { index = 0, bytes = 1 }: RegisterAccess): readonly ConfigLayout[] {
  return layoutOf(run.context).filter(
    (field) => field.offset < index + bytes && index < field.offset + field.bytes,
  );
}

/** A rewritten word that holds the frozen bits is no acceptance: devices take it as nothing, and so do we. */
function acceptance({ frozen }: Run, index: number, value: number): Act | undefined {
  if (frozen === undefined) return "accept";
  const now = frozen.word(index);
  if ((value & ~now) !== 0) return "accept-more";
  return value === now ? undefined : "accept-less";
}

/** Console emerg_wr may be written in any state (§5.3.4). */
function isFreeWrite(run: Run, access: RegisterAccess): boolean {
  const fields = touchedFields(run, access);
  return fields.length > 0 && fields.every(({ writable }) => writable === "any-time");
}
