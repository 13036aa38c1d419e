import { describe, expect, it } from "vitest";
import { count, faultText, runTitle, summaryRows } from "../../src/report/rows";
import { formatTable } from "../../src/report/table";
import { transcriptPath } from "../../src/report/transcript-path";
import { wrap } from "../../src/report/wrap";
import { simulate } from "../../src/sim/simulate";

const workload = { chains: 64 };
const split = await simulate({ accept: ["VERSION_1"], workload });
const inOrder = await simulate({ accept: ["VERSION_1", "RING_PACKED", "IN_ORDER"], workload });
const refused = await simulate({ accept: [], workload });

describe("rows", () => {
  it("name a run by what was negotiated", () => {
    expect([split, inOrder, refused].map(runTitle)).toEqual(["split", "packed + IN_ORDER", "refused"]);
  });

  it("have a cell for each run and leave out what says nothing", () => {
    const rows = summaryRows([split, inOrder]);
    expect(rows.every(({ cells }) => cells.length === 2)).toBe(true);
    const labels = rows.map(({ label }) => label.trim());
    expect(labels).toContain("ns/chain, rings");
    expect(labels).not.toContain("copy, MB/s");
    expect(summaryRows([refused]).map(({ label }) => label)).not.toContain("data");
  });

  it("compare with the first run that was measured", () => {
    const cells = summaryRows([refused, split, inOrder]).find(({ label }) => label === "  relative")?.cells;
    expect(cells).toEqual(["", "", expect.stringMatching(/^\d+\.\d\d x$/)]);
  });

  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [1234567, "1,234,567"],
  ])("write %i as %s", (value, text) => {
    expect(count(value)).toBe(text);
  });

  it("tell where bytes differ first", () => {
    const first = { chain: 3, direction: "toDevice", offset: 5, expected: 0x0a, actual: null } as const;
    const integrity = { ...split.integrity, mismatches: 1200, firstMismatch: first };
    expect(faultText({ ...split, outcome: "mismatch", integrity })).toBe(
      "1,200 bytes differ, first at chain 3, byte 5 to the device: 0x0a was sent, nothing arrived",
    );
    expect(faultText(split)).toBeUndefined();
  });
});

describe("formatTable", () => {
  it("lines the runs up and gives the reasons", () => {
    const lines = formatTable([split, inOrder]).split("\n");
    const [titles = "", size = ""] = lines;
    expect(titles).toMatch(/^ +split +packed \+ IN_ORDER$/);
    expect(size).toMatch(/^queue size +256 +256$/);
    expect(size.length).toBe(titles.length);
    expect(lines.at(-1)).toBe("packed + IN_ORDER: VIRTIO_F_RING_PACKED (bit 34) was negotiated");
  });

  it("takes one report as well", () => {
    expect(formatTable(split)).toBe(formatTable([split]));
  });

  it.each([80, 160])("has no line longer than %i columns", (width) => {
    for (const line of formatTable([split, inOrder, refused], width).split("\n")) {
      expect(line.length).toBeLessThanOrEqual(width);
    }
  });
});

describe("transcriptPath", () => {
  it("goes the way of the seed: accept, validate, FEATURES_OK, ring", () => {
    expect(transcriptPath(inOrder.transcript)).toBe(
      "reset -> ACKNOWLEDGE -> DRIVER -> offered INDIRECT_DESC, EVENT_IDX, VERSION_1, RING_PACKED, IN_ORDER, " +
        "NOTIFICATION_DATA, RING_RESET, SUSPEND -> accepted VERSION_1, RING_PACKED, IN_ORDER -> validate: nothing dropped -> " +
        "FEATURES_OK -> FEATURES_OK confirmed -> packed ring -> queue 0: 256 descriptors -> DRIVER_OK",
    );
  });

  it("ends where the device refuses", () => {
    expect(transcriptPath(refused.transcript)).toMatch(
      /FEATURES_REFUSED: .*VERSION_1 \(32\) must be accepted.* -> FAILED$/,
    );
  });
});

describe("wrap", () => {
  it("breaks at spaces and indents what follows", () => {
    expect(wrap("aaaa bbbb cccc dddd eeee ffff", 20, "  ")).toBe("aaaa bbbb cccc dddd\n  eeee ffff");
  });

  it("keeps what stands before the first word, and words that are too long", () => {
    expect(wrap("  --option  text", 40)).toBe("  --option  text");
    expect(wrap(`a ${"b".repeat(50)} c`, 20)).toBe(`a\n${"b".repeat(50)}\nc`);
  });
});
