/** The text that a terminal shows of a stream of characters. */
import { describe, expect, it } from "vitest";
import { Screen } from "../../../examples/v86/screen";

const CASES: readonly (readonly [name: string, written: string, shown: string])[] = [
  ["lines", "one\r\ntwo\r\n", "one\ntwo\n"],
  ["a line feed alone, which keeps the column", "ab\nc", "ab\n  c"],
  ["a line that is written over", "12345\rab", "ab345"],
  ["a character that is deleted", "lss\b \b -l", "ls -l"],
  ["tabs", "a\tb\r\n12345678\tc", "a       b\n12345678        c"],
  ["bells, which are not heard", "a\x07b", "ab"],
  ["colours, which are not seen", "\x1b[1;34mbin\x1b[0m dev", "bin dev"],
  ["what busybox asks a terminal", "# \x1b[6nls", "# ls"],
  ["a line that is cut", "12345\r\x1b[2C\x1b[K", "12"],
  ["a cursor that goes back", "abcd\x1b[3DX", "aXcd"],
  ["a cleared screen", "one\r\ntwo\x1b[H\x1b[Jthree", "three"],
  ["an escape that begins nothing", "a\x1bzb", "azb"],
  ["a sequence without an end", `a\x1b[${"1".repeat(40)}`, `a[${"1".repeat(40)}`],
];

describe("Screen", () => {
  it.each(CASES)("%s", (_, written, shown) => {
    const screen = new Screen();
    screen.write(written);
    expect(screen.text).toBe(shown);
  });

  it.each(CASES)("%s, a character at a time", (_, written, shown) => {
    const screen = new Screen();
    for (const character of written) screen.write(character);
    expect(screen.text).toBe(shown);
  });

  it("forgets the oldest of more than a thousand lines", () => {
    const screen = new Screen();
    for (let i = 0; i < 1500; i++) screen.write(`${i}\r\n`);
    const lines = screen.text.split("\n");
    expect([lines.length, lines[0], lines.at(-2)]).toEqual([1000, "501", "1499"]);
  });
});
