/** What a guest does with a console and a balloon, whoever's models are behind them. */
import { createHash, randomBytes } from "node:crypto";
import { expect } from "vitest";
import type { Linux } from "./linux";
import { PATIENCE } from "./patience";

const REACTION = { timeout: PATIENCE };

/** The host's side of a console. */
export interface Terminal {
  /** What the guest has printed so far. */
  printed(): string;
  type(bytes: Uint8Array): void;
}

/** 2000 lines out of hvc0, and 1000 bytes into it. */
export async function carryLines(linux: Linux, terminal: Terminal): Promise<void> {
  const raw = (command: string) => linux.succeed(`( stty raw -echo; ${command} ) </dev/hvc0`);
  await raw("seq 1 2000 >/dev/hvc0");
  expect(terminal.printed()).toBe(Array.from({ length: 2000 }, (_, i) => `${i + 1}\n`).join(""));
  const typed = raw("echo ready >/dev/hvc0; head -c 1000 | md5sum");
  await expect.poll(() => terminal.printed().endsWith("ready\n"), REACTION).toBe(true);
  const bytes = randomBytes(1000);
  for (let i = 0; i < 1000; i += 100) terminal.type(bytes.subarray(i, i + 100));
  expect(await typed).toContain(createHash("md5").update(bytes).digest("hex"));
}

/** Gives up 1024 pages and gets them back; gives the guest's memory in KiB. */
export async function balloons(
  linux: Linux,
  inflate: (pages: number) => void,
  deflate: () => void,
): Promise<number> {
  const total = async () => Number(/MemTotal: +(\d+)/.exec(await linux.succeed("cat /proc/meminfo"))?.[1]);
  const before = await total();
  inflate(1024);
  await expect.poll(total, REACTION).toBe(before - 4 * 1024);
  deflate();
  await expect.poll(total, REACTION).toBe(before);
  return before;
}
