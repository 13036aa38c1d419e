/**
 * A terminal's text: what remains of a stream of characters, with the few control sequences that the kernel's log and
 * busybox's shell write. No colours, no absolute positions but the top; sequences that are not known are left out.
 */

const LINES_MOST = 1000;
const TAB = 8;
const ESCAPE = "\x1b";
/** CSI: parameters and a final letter. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal gets
const SEQUENCE = /^\x1b\[([0-9;?]*)([@-~])/;
const LONGEST = 16;

/** The lines so far, and where the next character goes. */
export class Screen {
  private readonly lines: string[] = [""];
  private row = 0;
  private column = 0;
  /** The beginning of a control sequence whose end has not come. */
  private held = "";

  /** Everything, a line feed between two lines. */
  get text(): string {
    return this.lines.join("\n");
  }

  write(text: string): void {
    let rest = this.held + text;
    this.held = "";
    while (rest !== "") {
      const taken = rest.startsWith(ESCAPE) ? this.sequence(rest) : this.character(rest);
      if (taken === 0) {
        this.held = rest;
        return;
      }
      rest = rest.slice(taken);
    }
  }

  /** Takes a control sequence; 0 while its end is missing. */
  private sequence(text: string): number {
    const [whole, parameters = "", final = ""] = SEQUENCE.exec(text.slice(0, LONGEST)) ?? [];
    if (whole === undefined) return text.length < LONGEST && (text.length < 2 || text[1] === "[") ? 0 : 1;
    const count = Math.max(1, Number.parseInt(parameters, 10) || 1);
    if (final === "C") this.column += count;
    if (final === "D") this.column = Math.max(0, this.column - count);
    if (final === "H") [this.row, this.column] = [0, 0];
    if (final === "K" || final === "J") this.cut();
    if (final === "J") this.lines.length = this.row + 1;
    return whole.length;
  }

  private character(text: string): number {
    const [first = ""] = text;
    if (first === "\n") this.feed();
    else if (first === "\r") this.column = 0;
    else if (first === "\b") this.column = Math.max(0, this.column - 1);
    else if (first === "\t") this.column = TAB * (Math.floor(this.column / TAB) + 1);
    else if (first >= " ") this.put(first);
    return first.length;
  }

  private put(character: string): void {
    const line = this.line.padEnd(this.column);
    this.lines[this.row] = line.slice(0, this.column) + character + line.slice(this.column + 1);
    this.column++;
  }

  private feed(): void {
    this.row++;
    if (this.row === this.lines.length) this.lines.push("");
    if (this.lines.length <= LINES_MOST) return;
    this.lines.shift();
    this.row--;
  }

  private cut(): void {
    this.lines[this.row] = this.line.slice(0, this.column);
  }

  private get line(): string {
    return this.lines[this.row] ?? "";
  }
}
