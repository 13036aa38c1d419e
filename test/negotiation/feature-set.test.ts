// FeatureSet: 128 bits on four words, and what goes wrong with 32-bit shifts elsewhere (§2.2).
import { describe, expect, it } from "vitest";
import { FeatureSet } from "../../src/negotiation/feature-set";

describe("FeatureSet", () => {
  it.each(Array.from({ length: 128 }, (_, bit) => bit))("holds bit %i alone", (bit) => {
    const set = FeatureSet.of(bit);
    expect(set.bits()).toEqual([bit]);
    expect(set.words[bit >>> 5]).toBe(2 ** (bit & 31));
    expect(set.words.reduce((sum, word) => sum + word)).toBe(2 ** (bit & 31));
    expect(FeatureSet.fromWords(set.words).equals(set)).toBe(true);
    expect(set.without(bit).isEmpty).toBe(true);
  });

  it("keeps every word a u32 through every operation", () => {
    const all = FeatureSet.fromWords([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff]);
    const odd = FeatureSet.of(...all.bits().filter((bit) => bit % 2 === 1));
    const even = all.minus(odd);
    for (const set of [all.intersect(odd), odd.union(even), even, odd, all.withWord(1, 0x80000000)]) {
      for (const word of set.words) expect(word >>> 0).toBe(word);
    }
    expect(odd.union(even).equals(all)).toBe(true);
    expect(odd.intersect(even).isEmpty).toBe(true);
    expect(odd.isSubsetOf(all)).toBe(true);
    expect(all.isSubsetOf(odd)).toBe(false);
    expect(all.bits()).toHaveLength(128);
  });

  it("replaces a word, and only that one", () => {
    const set = FeatureSet.of(0, 5, 32, 34, 64, 127);
    expect(set.withWord(1, 1).bits()).toEqual([0, 5, 32, 64, 127]);
    expect(set.withWord(4, 0xffffffff).equals(set)).toBe(true);
  });

  it("does not change when a derived set is made", () => {
    const set = FeatureSet.of("VERSION_1");
    set.with("RING_PACKED");
    expect(set.bits()).toEqual([32]);
    expect(Object.isFrozen(set.words)).toBe(true);
  });

  it("names its bits, and reads its own names back", () => {
    const set = FeatureSet.from(["VERSION_1", "MTU", "bit 44", 126], "net");
    expect(set.names("net")).toEqual(["MTU", "VERSION_1", "bit 44", "bit 126"]);
    expect(FeatureSet.from(set.names("net"), "net").equals(set)).toBe(true);
    expect(set.toString("net")).toBe("MTU | VERSION_1 | bit 44 | bit 126");
    expect(`${FeatureSet.empty}`).toBe("(none)");
    expect(JSON.stringify({ set: FeatureSet.of(32, 34) })).toBe('{"set":["VERSION_1","RING_PACKED"]}');
  });

  it.each([-1, 128, 1.5, Number.NaN])("refuses bit %d", (bit) => {
    expect(() => FeatureSet.of(bit)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  it.each([[[-1]], [[2 ** 32]], [[0.5]], [[1, 2, 3, 4, 5]]])("refuses words %j", (words) => {
    expect(() => FeatureSet.fromWords(words)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});
