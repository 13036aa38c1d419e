/** The guest's screen on the page, and the line that commands are typed into. */
import { element } from "./element";
import { Screen } from "./screen";

const INTERRUPT = "\x03";

/** What the terminal is to do with what is typed. */
export interface TerminalUse {
  /** Takes characters for the guest. */
  readonly onInput: (text: string) => void;
  /** The screen has room for so many characters. */
  readonly onResize: (columns: number, rows: number) => void;
}

/** The terminal. */
export class Terminal {
  private readonly screen = new Screen();
  private readonly view = element<HTMLElement>(document, "#screen");
  private readonly input = element<HTMLInputElement>(document, "#command");
  private readonly interrupt = element<HTMLButtonElement>(document, "#interrupt");
  private readonly use: TerminalUse;
  private readonly history: string[] = [];
  private recalled = 0;
  private isDue = false;

  constructor(use: TerminalUse) {
    this.use = use;
    element<HTMLFormElement>(document, "#prompt").addEventListener("submit", (event) => {
      event.preventDefault();
      this.run(this.input.value);
      this.input.value = "";
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.interrupt.addEventListener("click", () => this.use.onInput(INTERRUPT));
    new ResizeObserver(() => {
      this.showEnd();
      this.measure();
    }).observe(this.view);
  }

  /** What the guest writes. The page follows as fast as it can be drawn. */
  write(text: string): void {
    this.screen.write(text);
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => this.draw());
  }

  /** Types a line. */
  run(command: string): void {
    if (command !== "") this.history.push(command);
    this.recalled = this.history.length;
    this.use.onInput(`${command}\r`);
    this.showEnd();
  }

  set enabled(isEnabled: boolean) {
    this.input.disabled = !isEnabled;
    this.interrupt.disabled = !isEnabled;
  }

  private draw(): void {
    this.isDue = false;
    const { view } = this;
    const isAtEnd = view.scrollTop + view.clientHeight > view.scrollHeight - 40;
    view.textContent = this.screen.text;
    if (isAtEnd) this.showEnd();
  }

  private showEnd(): void {
    this.view.scrollTop = this.view.scrollHeight;
  }

  private key(event: KeyboardEvent): void {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.ctrlKey && event.key === "c" && this.input.selectionStart === this.input.selectionEnd) {
      this.use.onInput(INTERRUPT);
    } else if (step !== undefined) {
      this.recalled = Math.min(this.history.length, Math.max(0, this.recalled + step));
      this.input.value = this.history[this.recalled] ?? "";
    } else return;
    event.preventDefault();
  }

  /** Tells how many columns and rows there are, by the size of a character. */
  measure(): void {
    const { view } = this;
    const style = getComputedStyle(view);
    const context = document.createElement("canvas").getContext("2d");
    if (context === null) return;
    context.font = `${style.fontSize} ${style.fontFamily}`;
    const width =
      view.clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight);
    const height =
      view.clientHeight - Number.parseFloat(style.paddingTop) - Number.parseFloat(style.paddingBottom);
    const columns = Math.floor(width / context.measureText("0").width);
    const rows = Math.floor(height / Number.parseFloat(style.lineHeight));
    if (columns > 0 && rows > 0) this.use.onResize(columns, rows);
  }
}
