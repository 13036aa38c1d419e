// Notifications are given out one at a time, never within a register write or another notification (§2.3).
import { describe, expect, it } from "vitest";
import { Interrupts } from "../../src/device/interrupts";

const make = () => {
  const heard: string[] = [];
  const interrupts = new Interrupts(3);
  interrupts.handler = (kind, queue) => heard.push(queue === undefined ? kind : `${kind} ${queue}`);
  interrupts.configEnabled = true;
  return { heard, interrupts };
};

describe("Interrupts", () => {
  it("delivers at once when nothing is under way", () => {
    const { heard, interrupts } = make();
    interrupts.raiseUsed(1);
    interrupts.raiseConfig();
    expect(heard).toEqual(["used 1", "config"]);
  });

  it("keeps one of each back until the device is done", () => {
    const { heard, interrupts } = make();
    interrupts.hold();
    interrupts.raiseConfig();
    interrupts.raiseUsed(2);
    interrupts.raiseUsed(0);
    interrupts.raiseUsed(2);
    expect(heard).toEqual([]);
    interrupts.release();
    expect(heard).toEqual(["used 0", "used 2", "config"]);
    expect(interrupts.held).toBe(false);
  });

  it("does not enter a handler again; what it raises comes after it", () => {
    const { interrupts } = make();
    const heard: string[] = [];
    let depth = 0;
    interrupts.handler = (kind, queue) => {
      expect(depth++).toBe(0);
      heard.push(`${kind} ${queue}`);
      if (heard.length === 1) {
        interrupts.raiseUsed(0);
        interrupts.raiseConfig();
        interrupts.raiseUsed(1);
      }
      if (kind === "config") interrupts.raiseUsed(2);
      depth--;
    };
    interrupts.raiseUsed(0);
    expect(heard).toEqual(["used 0", "used 1", "used 0", "config undefined", "used 2"]);
  });

  it("holds a change notification back until the device is live, and forgets all on a reset", () => {
    const { heard, interrupts } = make();
    interrupts.configEnabled = false;
    interrupts.raiseConfig();
    expect(heard).toEqual([]);
    interrupts.hold();
    interrupts.configEnabled = true;
    interrupts.release();
    expect(heard).toEqual(["config"]);
    interrupts.hold();
    interrupts.raiseUsed(0);
    interrupts.raiseConfig();
    interrupts.clear();
    interrupts.release();
    expect(heard).toEqual(["config"]);
  });

  it("stays usable after a handler has thrown", () => {
    const { heard, interrupts } = make();
    const { handler } = interrupts;
    interrupts.handler = () => {
      throw new Error("handler");
    };
    expect(() => interrupts.raiseUsed(0)).toThrow("handler");
    interrupts.hold();
    interrupts.raiseUsed(0);
    expect(() => interrupts.release()).toThrow("handler");
    expect(interrupts.held).toBe(false);
    interrupts.handler = handler;
    interrupts.raiseUsed(1);
    expect(heard).toEqual(["used 1"]);
  });
});
