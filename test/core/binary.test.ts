/**
 * The built binaries from outside: safe to instantiate on another program's memory, because nothing in them writes
 * before a function is called, and small enough. The budget stands in wasm-budget.json.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { embeddedBytes } from "../../src/core/module";
import { I32, readOutside, SECTION } from "./wasm-sections";

const budget: Record<string, number> = JSON.parse(
  readFileSync(new URL("../../wasm-budget.json", import.meta.url), "utf8"),
);
/** One memory from 0 or 1 page; a shared one must name a maximum, so it names the largest. */
const MEMORY = {
  release: { maximum: undefined, shared: false },
  shared: { maximum: 65536, shared: true },
};

describe.each(["release", "shared"] as const)("the %s binary", (build) => {
  const bytes = embeddedBytes(build);
  const outside = readOutside(bytes);

  it("imports one memory, of any size, and nothing else", () => {
    expect(outside.imports).toEqual([
      { module: "env", name: "memory", kind: "memory", memory: expect.objectContaining(MEMORY[build]) },
    ]);
    expect(outside.imports[0]?.memory?.initial).toBeLessThanOrEqual(1);
  });

  it("has no data, element, table, memory or start section", () => {
    const { data, dataCount, element, table, memory, start } = SECTION;
    for (const id of [data, dataCount, element, table, memory, start]) {
      expect(outside.sections).not.toContain(id);
    }
  });

  it("exports functions over 32-bit integers alone, and no allocator", () => {
    expect(outside.exports.length).toBeGreaterThan(30);
    for (const { name, kind, params, results } of outside.exports) {
      expect(`${name}: ${kind}`).toMatch(/^(split|packed|queue|driver|device)[A-Z]\w*: function$/);
      expect(new Set([...params, ...results, I32]), name).toEqual(new Set([I32]));
    }
  });

  it("keeps its budget", () => {
    console.log(`${build}: ${bytes.length} bytes of ${budget[build]}`);
    expect(bytes.length).toBeLessThanOrEqual(budget[build] ?? 0);
  });

  it("changes no byte of the memory when it is instantiated", () => {
    const shared = build === "shared";
    const memory = new WebAssembly.Memory(shared ? { initial: 2, maximum: 2, shared } : { initial: 2 });
    const image = new Uint8Array(memory.buffer).fill(0xa5);
    new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    expect(image.every((byte) => byte === 0xa5)).toBe(true);
  });
});

it("a binary with a memory and a data segment would be seen", () => {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const memory = [SECTION.memory, 3, 1, 0, 1];
  const data = [SECTION.data, 7, 1, 0, 0x41, 0, 0x0b, 1, 0x2a];
  const bytes = Uint8Array.from([...header, ...memory, ...data]);
  expect(WebAssembly.validate(bytes)).toBe(true);
  expect(readOutside(bytes).sections).toEqual([SECTION.memory, SECTION.data]);
});
