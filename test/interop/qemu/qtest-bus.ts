/**
 * QEMU's test protocol over a pair of FIFOs: one line out, one line back, and the registers of one device through it.
 * Synchronous, but never for ever: an answer that doesn't come is an error that shows what QEMU wrote to its stderr.
 */
import { closeSync, readSync, writeSync } from "node:fs";
import type { RegisterBus } from "../../../src/transport/register-bus";

/** Suffixes of qtest's commands, by bytes. */
export const WIDTH = { 1: "b", 2: "w", 4: "l" } as const;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** What a conversation goes by. */
export interface QtestOptions {
  /** What QEMU has written to its stderr so far. */
  readonly complaints: () => string;
  /** Whether QEMU still runs. */
  readonly isAlive: () => boolean;
  /** How long an answer may take, in milliseconds. */
  readonly patience: number;
}

/** The protocol's two ends, opened without blocking. */
export class Qtest {
  private readonly input: number;
  private readonly output: number;
  private readonly options: QtestOptions;
  private readonly piece = Buffer.alloc(4096);
  private received = "";
  private hasAnswered = false;

  constructor(input: number, output: number, options: QtestOptions) {
    this.input = input;
    this.output = output;
    this.options = options;
  }

  /**
   * Sends one command.
   *
   * @returns what follows "OK"
   * @throws Error when QEMU refuses, ends or doesn't answer
   */
  command(text: string): string {
    try {
      writeSync(this.input, `${text}\n`);
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === "EPIPE" ? this.failure(text, "ended") : error;
    }
    const line = this.line(text);
    if (line !== "OK" && !line.startsWith("OK ")) throw this.failure(text, `answered "${line}"`);
    return line.slice(3);
  }

  close(): void {
    closeSync(this.input);
    closeSync(this.output);
  }

  private line(command: string): string {
    const { patience } = this.options;
    const deadline = Date.now() + patience;
    for (let reads = 0; ; reads++) {
      const end = this.received.indexOf("\n");
      if (end >= 0) {
        const line = this.received.slice(0, end);
        this.received = this.received.slice(end + 1);
        return line;
      }
      const bytes = this.read();
      if (bytes > 0) this.received += this.piece.toString("latin1", 0, bytes);
      else if (bytes === 0) throw this.failure(command, "ended");
      else if (Date.now() > deadline) throw this.failure(command, `did not answer for ${patience} ms`);
      // Most answers are there within microseconds; the machine belongs to others after that.
      else if (reads > 200) Atomics.wait(pause, 0, 0, 1);
    }
  }

  /** Bytes read, 0 at the end, -1 when there are none yet. QEMU opens the FIFO for its answers after the other one. */
  private read(): number {
    try {
      const bytes = readSync(this.output, this.piece);
      this.hasAnswered ||= bytes > 0;
      const isTooEarly = bytes === 0 && !this.hasAnswered && this.options.isAlive();
      return isTooEarly ? -1 : bytes;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return -1;
      throw error;
    }
  }

  private failure(command: string, what: string): Error {
    return new Error(
      `QEMU ${what} at "${command}"; its stderr: ${this.options.complaints().trim() || "empty"}`,
    );
  }
}

/** The registers of the device in one slot. */
export class QtestBus implements RegisterBus {
  private readonly qtest: Qtest;
  private readonly base: number;

  /** @param base guest-physical address of the window */
  constructor(qtest: Qtest, base: number) {
    this.qtest = qtest;
    this.base = base;
  }

  read(offset: number, bytes: 1 | 2 | 4): number {
    return Number(this.qtest.command(`read${WIDTH[bytes]} ${this.at(offset)}`));
  }

  write(offset: number, bytes: 1 | 2 | 4, value: number): void {
    this.qtest.command(`write${WIDTH[bytes]} ${this.at(offset)} 0x${(value >>> 0).toString(16)}`);
  }

  private at(offset: number): string {
    return `0x${(this.base + offset).toString(16)}`;
  }
}
