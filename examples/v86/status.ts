/** The line that says how far the guest is. */
import { element } from "./element";

/** How far it is. */
export type State = "loading" | "firmware" | "booting" | "running";

const WORDS: Readonly<Record<State, string>> = {
  loading: "Loading",
  firmware: "The firmware looks for a disk",
  booting: "Linux boots",
  running: "Linux runs",
};
const MIB = 1024 * 1024;

/** The line and its bar. */
export class Status {
  state: State = "loading";
  private readonly line = element(document, "#status");
  private readonly bar = element<HTMLProgressElement>(document, "#progress");
  private since = performance.now();

  /** Bytes of the guest's files. */
  loaded(bytes: number, total: number): void {
    this.bar.value = total === 0 ? 0 : bytes / total;
    this.say(`${WORDS.loading} ${(bytes / MIB).toFixed(1)} of ${(total / MIB).toFixed(1)} MiB`);
  }

  /** The next state; seconds count from the first instruction. */
  show(state: State): void {
    if (state === this.state) return;
    if (state === "firmware") this.since = performance.now();
    this.state = state;
    this.line.dataset.state = state;
    this.bar.hidden = state === "running";
    this.bar.removeAttribute("value");
    this.tick();
  }

  /** Lets the seconds of a boot be seen. */
  tick(): void {
    if (this.state === "loading") return;
    if (this.state === "running" && this.line.textContent?.startsWith(WORDS.running)) return;
    const seconds = ((performance.now() - this.since) / 1000).toFixed(0);
    this.say(
      this.state === "running"
        ? `${WORDS.running}, ${seconds} s after power-on`
        : `${WORDS[this.state]}, ${seconds} s`,
    );
  }

  private say(text: string): void {
    this.line.textContent = text;
  }
}
