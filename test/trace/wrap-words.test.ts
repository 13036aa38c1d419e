// Words in a column: broken at spaces, cut where they are too long, held together by GLUE.
import { describe, expect, it } from "vitest";
import { GLUE, widestWord, wrapWords } from "../../src/trace/wrap-words";

describe("wrapWords", () => {
  it.each([
    ["", 10, []],
    ["   ", 10, []],
    ["one two three", 7, ["one two", "three"]],
    ["one two three", 8, ["one two", "three"]],
    ["one\ntwo\u001b[1m three", 80, ["one two [1m three"]],
    ["max_virtqueue_pairs", 14, ["max_virtqueue_", "pairs"]],
    ["abcdefghij", 4, ["abcd", "efgh", "ij"]],
    ["a_bcdefghij", 8, ["a_bcdefg", "hij"]],
    ["one two", Number.POSITIVE_INFINITY, ["one two"]],
  ])("%j in %i columns", (text, width, lines) => {
    expect(wrapWords(text, width)).toEqual(lines);
  });

  it("breaks at GLUE only when there is no other way, and keeps it at the beginning", () => {
    expect(wrapWords(`was at${GLUE}§2.2.1`, 9)).toEqual(["was", "at §2.2.1"]);
    expect(wrapWords(`accepted_word${GLUE}§2.2.1`, 16)).toEqual(["accepted_word", "§2.2.1"]);
    expect(wrapWords(`${GLUE}${GLUE}device`, 8)).toEqual(["  device"]);
    expect(wrapWords(`one${GLUE}`, 3)).toEqual(["one"]);
    expect(widestWord(`one two${GLUE}three`)).toBe(9);
  });
});
