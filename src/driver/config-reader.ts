/**
 * Configuration as a driver reads it (§2.5.1): a field only if its feature is offered, and what is wider than 32 bits
 * or more than one field between two equal generations.
 */
import { nearest, VirtioError } from "../errors";
import type { ConfigLayout } from "../negotiation/config-table";
import { type EventSink, hex } from "../negotiation/control-event";
import type { FeatureSet } from "../negotiation/feature-set";
import type { DeviceType } from "../negotiation/feature-table";
import type { TransportPort } from "./port";

/** A field's value: a number up to 4 bytes, a bigint above; undefined when the device doesn't have the field. */
export type FieldValue = number | bigint | undefined;

/** What an access goes by. */
export interface ConfigView {
  readonly offered: FeatureSet;
  /** The legacy interface is in use: no generation, and the guest's own byte order (§2.5.3). */
  readonly isLegacy: boolean;
}

/** How often a read is repeated before the device is called unstable. */
const ATTEMPTS = 16;

/** Reads and writes named fields through a port. */
export class ConfigReader {
  private readonly port: TransportPort;
  private readonly layouts: ReadonlyMap<string, ConfigLayout>;
  private readonly type: DeviceType | undefined;
  private readonly onEvent: EventSink;
  private readonly byteOrder: "little" | "big";

  /** @param byteOrder the guest's */
  constructor(
    port: TransportPort,
    layouts: readonly ConfigLayout[],
    type: DeviceType | undefined,
    onEvent: EventSink,
    byteOrder: "little" | "big" = "little",
  ) {
    this.byteOrder = byteOrder;
    this.port = port;
    this.layouts = new Map(layouts.map((layout) => [layout.name, layout]));
    this.type = type;
    this.onEvent = onEvent;
  }

  /**
   * Reads fields that belong together, all from the same version of the configuration.
   *
   * @returns the values in order; undefined for a field whose feature is not offered, which is not read
   * @throws VirtioError UNKNOWN_NAME, or CONFIG_UNSTABLE if the generation keeps moving
   */
  async read(names: readonly string[], view: ConfigView): Promise<FieldValue[]> {
    const fields = names.map((name) => this.layout(name));
    const present = fields.filter((field) => this.exists(field, view.offered));
    const isAtomic = present.length === 0 || (present.length === 1 && isOneAccess(present[0]));
    const found = isAtomic ? await this.readAll(present) : await this.readStable(present, view.isLegacy);
    const values = found.map((value, i) => this.ordered(value, present[i], view));
    for (const [i, field] of present.entries()) {
      const after = hexValue(values[i], field.bytes);
      this.onEvent({
        side: "driver",
        step: "config",
        field: field.name,
        after,
        section: "2.5.1",
        note: "read",
      });
    }
    return fields.map((field) => values[present.indexOf(field)]);
  }

  /**
   * Writes a field.
   *
   * @param when whether FEATURES_OK was confirmed: before, the driver must not write (§3.1.1); and whether DRIVER_OK was
   *   set: from then on some fields are frozen (§5.5.6.6)
   * @throws VirtioError UNKNOWN_NAME, CONFIG_READONLY, STATUS_SEQUENCE, or BAD_ARGUMENT for a value that doesn't fit
   */
  async write(
    name: string,
    value: number,
    view: ConfigView,
    when: { readonly featuresOk: boolean; readonly driverOk: boolean },
  ): Promise<void> {
    const field = this.layout(name);
    if (field.writable === false || !this.exists(field, view.offered)) {
      throw new VirtioError("CONFIG_READONLY", `${name} is not the driver's to write`, { section: "2.5.1" });
    }
    if (field.writable === "until-driver-ok" && when.driverOk) {
      throw new VirtioError("STATUS_SEQUENCE", `${name} must not be written after DRIVER_OK`, {
        section: "5.5.6.6",
      });
    }
    if (field.writable !== "any-time" && !when.featuresOk && !view.isLegacy) {
      throw new VirtioError("STATUS_SEQUENCE", `${name} must not be written before FEATURES_OK`, {
        section: "3.1.1",
      });
    }
    const { bytes } = field;
    if (
      (bytes !== 1 && bytes !== 2 && bytes !== 4) ||
      !Number.isInteger(value) ||
      value < 0 ||
      value >= 256 ** bytes
    ) {
      throw new VirtioError("BAD_ARGUMENT", `${name}: ${value} is no value of ${bytes} bytes`, {
        section: "2.5",
      });
    }
    await this.port.writeConfig(field.offset, bytes, Number(this.ordered(value, field, view)));
    const after = hexValue(value, bytes);
    this.onEvent({ side: "driver", step: "config", field: name, after, section: "2.5", note: "written" });
  }

  private layout(name: string): ConfigLayout {
    const layout = this.layouts.get(name);
    if (layout !== undefined) return layout;
    const hint = nearest(name, this.layouts.keys());
    const text = `the configuration has no field "${name}"`;
    throw new VirtioError("UNKNOWN_NAME", hint === undefined ? text : `${text}: did you mean ${hint}?`, {
      section: "2.5",
    });
  }

  private exists({ anyOf }: ConfigLayout, offered: FeatureSet): boolean {
    return anyOf.length === 0 || anyOf.some((bit) => offered.has(bit, this.type));
  }

  /** A value from or for the wire: turned round where a big-endian guest uses the legacy interface (§2.5.3). */
  private ordered(value: FieldValue, field: ConfigLayout | undefined, view: ConfigView): FieldValue {
    if (value === undefined || field === undefined || !view.isLegacy || this.byteOrder === "little")
      return value;
    return [2, 4, 8].includes(field.bytes) ? turnedRound(value, field.bytes) : value;
  }

  private async readStable(fields: readonly ConfigLayout[], isLegacy: boolean): Promise<FieldValue[]> {
    let last: FieldValue[] | undefined;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (isLegacy) {
        // §2.5.4: there is no generation, so what was read twice alike counts.
        const values = await this.readAll(fields);
        if (last?.every((value, i) => value === values[i])) return values;
        last = values;
        continue;
      }
      const before = await this.port.configGeneration();
      const values = await this.readAll(fields);
      if ((await this.port.configGeneration()) === before) return values;
    }
    const names = fields.map(({ name }) => name).join(", ");
    throw new VirtioError(
      "CONFIG_UNSTABLE",
      `the generation moved during each of ${ATTEMPTS} reads of ${names}`,
      {
        section: "2.5.1",
      },
    );
  }

  private async readAll(fields: readonly ConfigLayout[]): Promise<FieldValue[]> {
    const values: FieldValue[] = [];
    for (const field of fields) values.push(await this.readField(field));
    return values;
  }

  /** A field in accesses of its own width (§4.1.3.1, §4.2.2.2). */
  private async readField({ offset, bytes }: ConfigLayout): Promise<number | bigint> {
    let value = 0n;
    const width = accessWidth(offset, bytes);
    for (let done = 0; done < bytes; done += width) {
      value |= BigInt(await this.port.readConfig(offset + done, width)) << BigInt(8 * done);
    }
    return bytes <= 4 ? Number(value) : value;
  }
}

/** 64 bits are two of 32; what has no width of its own is bytes, such as an address; and so is what lies askew. */
function accessWidth(offset: number, bytes: number): 1 | 2 | 4 {
  const width = bytes === 8 ? 4 : bytes;
  return (width === 2 || width === 4) && offset % width === 0 ? width : 1;
}

function isOneAccess(field: ConfigLayout | undefined): boolean {
  return field !== undefined && accessWidth(field.offset, field.bytes) === field.bytes;
}

function hexValue(value: FieldValue, bytes: number): string {
  return typeof value === "bigint"
    ? `0x${value.toString(16).padStart(2 * bytes, "0")}`
    : hex(value ?? 0, 2 * bytes);
}

function turnedRound(value: number | bigint, bytes: number): number | bigint {
  let result = 0n;
  for (let i = 0, rest = BigInt(value); i < bytes; i++, rest >>= 8n) result = (result << 8n) | (rest & 0xffn);
  return bytes <= 4 ? Number(result) : result;
}
