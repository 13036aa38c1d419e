/**
 * The device-specific configuration space (§2.5): fields exist by offered bits and their offsets never move.
 * Reads are always answered. The generation is right without anybody's help: every read compares with what was
 * there when the generation was last read; a notice of change only adds to that.
 */
import type { ErrorCode } from "../errors";
import { FeatureSet } from "../negotiation/feature-set";
import type { DeviceType } from "../negotiation/feature-table";
import type { ConfigImage } from "./device-image-form";
import type { ConfigField, ConfigValue } from "./model";

/** What a driver did wrong on the configuration space. */
export interface ConfigBreach {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly section: string;
}

/** The answer to an access. */
export interface ConfigAnswer {
  /** The value read, little-endian; 0 if there is a breach. */
  readonly value: number;
  /** The names of the fields touched. */
  readonly fields: readonly string[];
  readonly breach?: ConfigBreach;
}

/** A write access. */
export interface ConfigWrite {
  /** Bytes from the start of the configuration. */
  readonly offset: number;
  /** 1, 2 or 4. */
  readonly bytes: number;
  /** Little-endian, cut off to `bytes`. */
  readonly value: number;
  /** What the driver feature words hold now. */
  readonly accepted: FeatureSet;
  /** Whether FEATURES_OK is set: before, only fields writable at any time take a value (§3.1.1). */
  readonly featuresOk: boolean;
  /** As in {@link ConfigSpace.read}. */
  readonly order?: ByteOrder;
  /** Whether DRIVER_OK is set: from then on some fields are frozen (§5.5.6.6). Default false. */
  readonly driverOk?: boolean;
}

/** Which byte of a number comes first. */
export type ByteOrder = "little" | "big";

/** A field that exists, and the bytes of one that keeps its own value. */
interface Slot {
  readonly field: ConfigField;
  /** Bits of which one must be accepted before the field should be read (§2.5.1, patch for issue 241). */
  readonly governedBy: FeatureSet;
  readonly kept: Uint8Array | undefined;
}

/** The part of an image that is about the values; the rest of it is about notices. */
export type ConfigSpaceImage = Omit<ConfigImage, "notices" | "noticeWaits">;

/** One device's configuration space. */
export class ConfigSpace {
  /** Bytes up to the end of the last field that exists. */
  readonly length: number;
  private readonly slots: readonly Slot[];
  private readonly bytes: Uint8Array;
  /** What the bytes were when the generation was last read. */
  private readonly seen: Uint8Array;
  private changed = false;
  private frozen = false;
  private generation = 0;

  /**
   * @param fields the layout with values; those without an offered bit don't exist
   * @param offered what the device offers
   */
  constructor(fields: readonly ConfigField[], offered: FeatureSet, type?: DeviceType) {
    const existing = fields.filter(
      ({ anyOf }) => anyOf.length === 0 || anyOf.some((bit) => offered.has(bit, type)),
    );
    this.slots = existing.map((field) => ({
      field,
      governedBy: FeatureSet.from(field.anyOf, type),
      kept: typeof field.value === "function" ? undefined : encode(field.value, field.bytes),
    }));
    this.length = existing.reduce((end, { offset, bytes }) => Math.max(end, offset + bytes), 0);
    this.bytes = new Uint8Array(this.length);
    this.seen = new Uint8Array(this.length);
    this.refresh(FeatureSet.empty);
    this.seen.set(this.bytes);
  }

  /**
   * Reads 1, 2 or 4 bytes.
   *
   * @param accepted what the driver feature words hold now
   * @param order of the bytes within a field: the guest's own on the legacy interface (§2.5.3)
   */
  read(offset: number, bytes: number, accepted: FeatureSet, order: ByteOrder = "little"): ConfigAnswer {
    const breach = this.outOfRange(offset, bytes);
    if (breach !== undefined) return { value: 0, fields: [], breach };
    this.refresh(accepted);
    const touched = this.touched(offset, bytes);
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) {
      const field = touched.find((slot) => overlap(slot.field, offset + i, 1) === 1)?.field;
      value = value * 256 + (this.bytes[field ? byteAt(field, offset + i, order) : offset + i] ?? 0);
    }
    return { value, fields: touched.map(({ field }) => field.name) };
  }

  /**
   * Writes 1, 2 or 4 bytes into writable fields, all or nothing.
   *
   * @param written hears the whole value of each field that was written
   */
  write(access: ConfigWrite, written: (name: string, value: number | bigint) => void): ConfigAnswer {
    const { offset, bytes, value } = access;
    const outside = this.outOfRange(offset, bytes);
    if (outside !== undefined) return { value: 0, fields: [], breach: outside };
    const touched = this.touched(offset, bytes);
    const fields = touched.map(({ field }) => field.name);
    const breach = unwritable(touched, access);
    if (breach !== undefined) return { value: 0, fields, breach };
    this.refresh(access.accepted);
    for (const { field, kept } of touched) {
      const whole = kept ?? this.bytes.slice(field.offset, field.offset + field.bytes);
      for (let i = 0; i < bytes; i++) {
        if (overlap(field, offset + i, 1) < 1) continue;
        whole[byteAt(field, offset + i, access.order) - field.offset] = (value >>> (8 * i)) & 0xff;
      }
      written(field.name, decode(whole));
    }
    return { value, fields };
  }

  /** Says that a value has changed; the generation moves when it is read next. */
  markChanged(): void {
    if (!this.frozen) this.changed = true; // else it can't be read yet, and shows when it can
  }

  /** The generation, which is another one whenever an access since the last call may have seen other values (§2.5). */
  readGeneration(accepted: FeatureSet): number {
    this.refresh(accepted);
    if (this.changed) {
      this.generation = (this.generation + 1) >>> 0;
      this.seen.set(this.bytes);
      this.changed = false;
    }
    return this.generation;
  }

  /** Whether a touched field hangs on a bit that is offered but not accepted: answered, but a SHOULD of the driver. */
  readsUnaccepted(names: readonly string[], accepted: FeatureSet): boolean {
    return this.slots.some(
      ({ field, governedBy }) =>
        names.includes(field.name) && !governedBy.isEmpty && governedBy.intersect(accepted).isEmpty,
    );
  }

  /** Holds all values as they are, whatever the model says: the device is suspended (§3.4.1). */
  freeze(accepted: FeatureSet): void {
    this.refresh(accepted);
    this.frozen = true;
  }

  /** Follows the model again. */
  thaw(): void {
    this.frozen = false;
  }

  /** Gives fields that keep their own value the first one again. */
  reset(): void {
    this.thaw();
    for (const { field, kept } of this.slots) {
      if (kept !== undefined && typeof field.value !== "function") kept.set(encode(field.value, field.bytes));
    }
  }

  /** What the driver has seen and written, as plain data. */
  save(): ConfigSpaceImage {
    const { generation, changed, frozen, bytes, seen, keptFields } = this;
    const kept = keptFields.map(({ field, kept }) => ({ name: field.name, bytes: [...kept] }));
    return { generation, changed, frozen, bytes: [...bytes], seen: [...seen], kept };
  }

  /** Takes over an image of the same {@link shape}. */
  restore(image: ConfigSpaceImage, written: (name: string, value: number | bigint) => void): void {
    this.generation = image.generation;
    this.changed = image.changed;
    this.frozen = image.frozen;
    this.bytes.set(image.bytes);
    this.seen.set(image.seen);
    this.keptFields.forEach(({ field, kept }, i) => {
      const { bytes = [] } = image.kept[i] ?? {};
      if (kept.every((byte, at) => byte === bytes[at])) return;
      kept.set(bytes);
      written(field.name, decode(kept));
    });
  }

  /** Whose bytes an image holds: the length of the space, and the writable fields that keep their own value. */
  get shape(): string {
    const kept = this.keptFields.map(({ field }) => `${field.name} of ${field.bytes}`);
    return [`${this.length} bytes`, ...kept].join(", ");
  }

  private get keptFields() {
    return this.slots.flatMap(({ field, kept }) => (kept && field.writable ? [{ field, kept }] : []));
  }

  private refresh(accepted: FeatureSet): void {
    if (this.frozen) return;
    for (const { field, kept } of this.slots) {
      const now =
        kept ?? encode(typeof field.value === "function" ? field.value(accepted) : field.value, field.bytes);
      this.bytes.set(now, field.offset);
    }
    this.changed ||= this.bytes.some((byte, i) => byte !== this.seen[i]);
  }

  private touched(offset: number, bytes: number): Slot[] {
    return this.slots.filter(
      ({ field }) => field.offset < offset + bytes && offset < field.offset + field.bytes,
    );
  }

  private outOfRange(offset: number, bytes: number): ConfigBreach | undefined {
    if (bytes !== 1 && bytes !== 2 && bytes !== 4) {
      return {
        code: "BAD_ARGUMENT",
        reason: `${bytes} bytes at once: 1, 2 or 4 are possible`,
        section: "2.5",
      };
    }
    if (Number.isInteger(offset) && offset >= 0 && offset + bytes <= this.length) return undefined;
    return {
      code: "CONFIG_RANGE",
      reason: `${bytes} bytes at offset ${offset}, the configuration has ${this.length}`,
      section: "2.5",
    };
  }
}

function unwritable(
  touched: readonly Slot[],
  { offset, bytes, featuresOk, driverOk = false }: ConfigWrite,
): ConfigBreach | undefined {
  const readOnly = touched.find(({ field }) => !field.writable)?.field.name;
  const covered = touched.reduce((sum, { field }) => sum + overlap(field, offset, bytes), 0);
  if (readOnly !== undefined || covered < bytes) {
    const reason = readOnly === undefined ? `no field at offset ${offset}` : `${readOnly} is read-only`;
    return { code: "CONFIG_READONLY", reason, section: "2.5" };
  }
  const early = featuresOk ? undefined : touched.find(({ field }) => field.writable !== "any-time");
  const late = driverOk ? touched.find(({ field }) => field.writable === "until-driver-ok") : undefined;
  const mistimed = early ?? late;
  if (mistimed === undefined) return undefined;
  return {
    code: "STATUS_SEQUENCE",
    reason: `${mistimed.field.name} written ${mistimed === early ? "before FEATURES_OK" : "after DRIVER_OK"}`,
    section: "3.1.1",
  };
}

/** Where the byte of a field lies that the driver sees at `at`: numbers turn round in big-endian order, bytes don't. */
function byteAt({ offset, bytes, value }: ConfigField, at: number, order: ByteOrder = "little"): number {
  const isNumber = (bytes === 2 || bytes === 4 || bytes === 8) && !(value instanceof Uint8Array);
  return order === "big" && isNumber ? offset + bytes - 1 - (at - offset) : at;
}

function overlap(field: ConfigField, offset: number, bytes: number): number {
  return Math.min(field.offset + field.bytes, offset + bytes) - Math.max(field.offset, offset);
}

/** The bytes of a value, little-endian (§2.5), cut off or filled with zeros. */
function encode(value: ConfigValue, bytes: number): Uint8Array {
  const result = new Uint8Array(bytes);
  if (value instanceof Uint8Array) {
    result.set(value.subarray(0, bytes));
    return result;
  }
  let rest = BigInt(value);
  for (let i = 0; i < bytes; i++, rest >>= 8n) result[i] = Number(rest & 0xffn);
  return result;
}

/** The value of up to 4 bytes as a number, of more as a bigint. */
function decode(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (const byte of [...bytes].reverse()) value = (value << 8n) | BigInt(byte);
  return bytes.length <= 4 ? Number(value) : value;
}
