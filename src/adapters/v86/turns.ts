/**
 * When devices are served: never within an access of the guest, but in a microtask behind it, which is when v86's turn of
 * 1 ms at most is over. What the budget leaves goes on behind v86's next turn.
 */
import type { VirtioDevice } from "../../device/device";
import { macrotask } from "./macrotask";

/** The turns of some devices. */
export class Turns {
  private readonly budget: number;
  private devices: readonly VirtioDevice[] = [];
  private first = 0;
  private holds = 0;
  private isDue = false;
  private isServing = false;

  /** @param budget most chains of one device in one turn, ≥ 1 */
  constructor(budget: number) {
    this.budget = budget;
  }

  /** Serves these from now on. */
  serve(devices: readonly VirtioDevice[]): void {
    this.devices = devices;
    this.request();
  }

  /** There may be something to do. */
  request(): void {
    if (this.isDue || this.isServing || this.holds > 0) return;
    this.isDue = true;
    queueMicrotask(() => this.take());
  }

  /** Serves nothing until the matching {@link release}; what is notified meanwhile waits. */
  hold(): void {
    this.holds++;
  }

  release(): void {
    this.holds--;
    if (this.devices.some(({ hasWork }) => hasWork)) this.request();
  }

  private take(): void {
    this.isDue = false;
    if (this.holds > 0) return;
    const { devices } = this;
    this.isServing = true;
    try {
      for (let i = 0; i < devices.length; i++)
        devices[(this.first + i) % devices.length]?.process(this.budget);
    } finally {
      this.isServing = false;
    }
    this.first++;
    if (!devices.some(({ hasWork }) => hasWork)) return;
    this.isDue = true;
    macrotask(() => this.take());
  }
}
