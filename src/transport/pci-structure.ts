/**
 * What lies in a stretch of a BAR (§4.1.4), and the commonest kind of it: a structure of fields, each of which is
 * accessed whole and in its own width (§4.1.3.1).
 */
import type { VirtioDevice } from "../device/device";
import { type PciRegister, readOnly, wrongAlign, wrongWidth } from "./pci-register";

/** Something that is read and written in a BAR. It is given integers alone: a width of 1, 2 or 4, an offset within it. */
export interface PciStructure {
  /** For messages: "the common configuration". */
  readonly name: string;
  /** Bytes that it needs. */
  readonly length: number;
  /** Which of the two interfaces it belongs to (§4.1.4.10), if to one alone. */
  readonly window?: "legacy" | "modern";
  read(offset: number, bytes: 1 | 2 | 4): number;
  /** @param value `bytes` wide, unsigned */
  write(offset: number, value: number, bytes: 1 | 2 | 4): void;
}

/** Fields, each accessed whole. */
export class PciFields implements PciStructure {
  readonly name: string;
  readonly length: number;
  readonly window?: "modern";
  private readonly device: VirtioDevice;
  /** By every offset that a field covers. */
  private readonly fields = new Map<number, PciRegister>();

  /** @param length bytes; what no field covers reads 0 and takes nothing */
  constructor(
    device: VirtioDevice,
    { name, length, window }: Pick<PciStructure, "name" | "length"> & { readonly window?: "modern" },
    registers: readonly PciRegister[],
  ) {
    this.device = device;
    this.name = name;
    this.length = length;
    if (window !== undefined) this.window = window;
    for (const register of registers) {
      for (let i = 0; i < register.bytes; i++) this.fields.set(register.at + i, register);
    }
  }

  read(offset: number, bytes: 1 | 2 | 4): number {
    return this.field("read", offset, bytes)?.read?.() ?? 0;
  }

  write(offset: number, value: number, bytes: 1 | 2 | 4): void {
    const field = this.field("write", offset, bytes);
    if (field?.write !== undefined) field.write(value);
    else if (field !== undefined) this.device.violation(readOnly(field.name, value));
  }

  private field(how: "read" | "write", offset: number, bytes: 1 | 2 | 4): PciRegister | undefined {
    const field = this.fields.get(offset);
    if (field === undefined || (field.at === offset && field.bytes === bytes)) return field;
    const access = { how, offset, bytes, place: this.name };
    const wanted = `${field.name} takes ${field.bytes} at ${field.at}`;
    const error = field.at === offset ? wrongWidth(access, wanted) : wrongAlign(access, wanted);
    this.device.violation(error);
    return undefined;
  }
}
