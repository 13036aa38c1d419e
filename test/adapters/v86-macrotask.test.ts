/** Where a task of its own comes from: Node, a browser, and a place that has neither's means. */
import { afterEach, expect, it, vi } from "vitest";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

it.each([
  ["setImmediate", []],
  ["a MessageChannel", ["setImmediate"]],
  ["a timer", ["setImmediate", "MessageChannel"]],
] as const)("%s", async (_, missing) => {
  for (const name of missing) vi.stubGlobal(name, undefined);
  vi.resetModules();
  const { macrotask, nextTask } = await import("../../src/adapters/v86/macrotask");
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    macrotask(() => {
      order.push("task");
      resolve();
    });
    queueMicrotask(() => order.push("microtask"));
    order.push("caller");
  });
  await nextTask();
  expect(order).toEqual(["caller", "microtask", "task"]);
});
