/**
 * Fields wider than 32 bits, which no single access reads (§2.5.1; §2.5.4 on the legacy interface). Evidence is a
 * field that was read to its last byte: between two generations, or not. Several small fields are no evidence, as
 * nobody but the driver knows whether they belong together; nor is half a field.
 */
import type { ConfigLayout } from "../../negotiation/config-table";
import { hex, type RegisterAccess } from "../../negotiation/control-event";
import { VIRTIO_CONFIG_S_FAILED } from "../../spec/status";
import { touchedFields } from "../act-of";
import type { Rule, Step } from "./rule";

/** Widest read that is one access, in bytes. */
const ATOMIC_BYTES = 4;

/** One reading of a wide field from its first byte to its last. */
class Pass {
  readonly bytes = new Map<number, number>();
  readonly field: ConfigLayout;
  /** The generation read before; undefined if there was none. */
  readonly before: number | undefined;
  /** The generation read after. */
  after: number | undefined;

  constructor(field: ConfigLayout, before: number | undefined) {
    this.field = field;
    this.before = before;
  }

  get isComplete(): boolean {
    return this.bytes.size === this.field.bytes;
  }

  /** The value as bytes in hexadecimal, the first one first. */
  get text(): string {
    return [...this.bytes]
      .sort(([a], [b]) => a - b)
      .map(([, byte]) => hex(byte).slice(2))
      .join("");
  }
}

/** Rules about the versions of the configuration that a driver may have seen halves of. */
export function configVersionsRule(): Rule & { end(step: Step): void } {
  /** The uninterrupted reading of the configuration that is going on: its last generation, and passes by field. */
  let generation: number | undefined;
  let passes = new Map<string, Pass[]>();
  /** Fields whose last reading was torn and has not been repeated. */
  const torn = new Map<string, Pass>();

  const endReading = ({ run, report }: Step): void => {
    for (const [name, all] of passes) {
      const complete = all.filter(({ isComplete }) => isComplete);
      const last = complete.at(-1);
      if (last === undefined) continue;
      torn.delete(name);
      const values = complete.slice(-2).map(({ text }) => text);
      if (run.isLegacy) {
        if (values.length === 2 && values[0] === values[1]) continue;
        const what = `${name} read ${complete.length === 1 ? "once" : "with no two equal values"}: ${values.join(", ")}`;
        report("driver", ["CONFIG-009"], what);
      } else if (last.before === undefined || last.after === undefined) {
        const [first, second] = [last.before ?? "none", last.after ?? "none"];
        const what = `${name} (${last.field.bytes} bytes) read in pieces, generation before: ${first}, after: ${second}`;
        report("driver", ["CONFIG-002"], what);
      } else if (last.before !== last.after) torn.set(name, last);
    }
    passes = new Map();
    generation = undefined;
  };

  const take = (field: ConfigLayout, { index = 0, bytes = 1, value }: RegisterAccess): void => {
    const all = passes.get(field.name) ?? [];
    let pass = all.at(-1);
    if (pass === undefined || pass.isComplete || pass.bytes.has(Math.max(index, field.offset))) {
      pass = new Pass(field, generation);
      all.push(pass);
    }
    for (let i = 0; i < bytes; i++) {
      const isInside = index + i >= field.offset && index + i < field.offset + field.bytes;
      if (isInside) pass.bytes.set(index + i, (value >>> (8 * i)) & 0xff);
    }
    passes.set(field.name, all);
  };

  return {
    access(step) {
      const { access, run, report } = step;
      const { register, how, value } = access;
      if (register === "status" && how === "read") return; // of an interrupt handler, perhaps
      if (register === "config-generation") {
        for (const pass of passes.values()) for (const one of pass) if (one.isComplete) one.after ??= value;
        generation = value;
        return;
      }
      if (register === "config" && how === "read") {
        for (const field of touchedFields(run, access)) if (field.bytes > ATOMIC_BYTES) take(field, access);
        return;
      }
      endReading(step);
      if (register === "status" && (value === 0 || (value & VIRTIO_CONFIG_S_FAILED) !== 0)) torn.clear();
      if (how === "read") return;
      for (const [name, { before, after }] of torn) {
        const what = `${name} read between generations ${before} and ${after} and not read again before the driver went on`;
        report("driver", ["CONFIG-001"], what);
      }
      torn.clear();
    },
    end: endReading,
  };
}
