// The transcript's table: what it looks like at 80 and at 160 columns, that no line is ever wider than was said, that
// findings stand at their event, and that colours add nothing to the text.
import fc from "fast-check";
import picocolors from "picocolors";
import { describe, expect, it } from "vitest";
import type { Finding } from "../../src/conformance/finding";
import type { RegisterAccess } from "../../src/negotiation/control-event";
import type { ShownEvent } from "../../src/trace/transcript-rows";
import { transcriptTable } from "../../src/trace/transcript-table";

const ALL = [
  "MTU",
  "MAC",
  "MRG_RXBUF",
  "CTRL_VQ",
  "MQ",
  "INDIRECT_DESC",
  "EVENT_IDX",
  "VERSION_1",
  "RING_PACKED",
];
const CHOICE = ALL.filter((name) => name !== "MQ");

/** Events with place and time; the rest as given. */
function events(...list: Partial<ShownEvent>[]): ShownEvent[] {
  return list.map((event, seq) => ({
    seq,
    time: seq * 1.25,
    side: "driver",
    step: "status",
    section: "3.1.1",
    ...event,
  }));
}

const device = { side: "device" } as const;
const status = { field: "status" } as const;
const reads = (value: number): Partial<ShownEvent> => {
  const access: RegisterAccess = { register: "status", how: "read", value };
  return { ...device, ...status, after: `0x0${value}`, section: "2.1", access };
};
const sets = (accepted: readonly string[], negotiated: readonly string[] = []) => ({
  sets: { offered: ALL, accepted, negotiated },
});

const story = events(
  { step: "reset", ...status, before: "0x0f", after: "0x00", section: "2.4", note: "asks for a reset" },
  { ...device, step: "reset", ...status, before: "0x0f", after: "0x00", section: "2.4", ...sets([]) },
  reads(0),
  reads(0),
  reads(0),
  { step: "features", field: "offered", after: "9 features", section: "2.2.1", note: "read", ...sets([]) },
  { step: "features", field: "accepted", after: "8 features", note: "accepts", ...sets(CHOICE) },
  {
    ...device,
    ...{
      step: "features",
      field: "accepted word 0",
      before: "0x00000000",
      after: "0x30028028",
      section: "2.2",
    },
    ...sets(CHOICE.slice(0, 6)),
  },
  {
    ...device,
    ...{
      step: "features",
      field: "accepted word 1",
      before: "0x00000000",
      after: "0x00000005",
      section: "2.2",
    },
    ...sets(CHOICE),
  },
  { step: "config", field: "max_virtqueue_pairs", after: "0x0008", section: "5.1.4", note: "read" },
  { step: "features", field: "accepted", after: "7 features", note: "drops MTU", ...sets(CHOICE.slice(1)) },
  {
    ...device,
    ...{ field: "FEATURES_OK", before: "0x03", after: "0x03", section: "2.2.2", code: "FEATURES_REFUSED" },
    ...{
      note: "refused: VERSION_1 (32) must be accepted",
      policy: { name: "retryAfterRefusal", choice: "judge" },
    },
  },
  { step: "queue", field: "queue 0", before: "at most 256", after: "256 descriptors", note: "packed ring" },
);

const findings: readonly Finding[] = [
  {
    ...{ seq: 9, clause: "NET-012", level: "SHOULD NOT", section: "5.1.4", side: "driver" },
    ...{ what: "max_virtqueue_pairs was read, MQ was not accepted", mend: "accept MQ first" },
  },
  {
    ...{ seq: 11, clause: "FEATURES-001", level: "MUST NOT", section: "2.2.1", side: "driver" },
    what: "accepted RING_PACKED (34), which depends on VERSION_1 (32): the accepted set had no VERSION_1",
    mend: "accept VERSION_1 whenever it is offered",
  },
];

describe("transcriptTable", () => {
  it("breaks values and notes in their columns at 80 columns", () => {
    expect(transcriptTable(story, { findings, width: 80 })).toMatchInlineSnapshot(`
      "   ms  side      step      field           before → after  note
       0.00  driver    reset     status          0x0f → 0x00     asks for a reset §2.4
       1.25    device  reset     status          0x0f → 0x00     §2.4
                       offered: MTU, MAC, MRG_RXBUF, CTRL_VQ, MQ, INDIRECT_DESC,
                                EVENT_IDX, VERSION_1, RING_PACKED
       2.50    device  status    status          0x00            read 3 times §2.1
       6.25  driver    features  offered         9 features      read §2.2.1
                       offered: the same 9 as the device's
       7.50  driver    features  accepted        8 features      accepts §3.1.1
                       accepted: MTU, MAC, MRG_RXBUF, CTRL_VQ, INDIRECT_DESC,
                                 EVENT_IDX, VERSION_1, RING_PACKED
       8.75    device  features  accepted        0x00000000      §2.2
                                 word 0          → 0x30028028
                       accepted: MTU, MAC, MRG_RXBUF, CTRL_VQ, INDIRECT_DESC,
                                 EVENT_IDX
      10.00    device  features  accepted        0x00000000      §2.2
                                 word 1          → 0x00000005
                       accepted: +VERSION_1, +RING_PACKED; 8 in all
      11.25  driver    config    max_virtqueue_  0x0008          read §5.1.4
                                 pairs
      ! NET-012 SHOULD NOT §5.1.4 driver: max_virtqueue_pairs was read, MQ was not
      !   accepted
      !   mend: accept MQ first
      12.50  driver    features  accepted        7 features      drops MTU §3.1.1
                       accepted: −MTU; 7 in all
      13.75    device  status    FEATURES_OK     0x03 → 0x03     §2.2.2
                       FEATURES_REFUSED: refused: VERSION_1 (32) must be accepted;
                       policy retryAfterRefusal: judge
      ! FEATURES-001 MUST NOT §2.2.1 driver: accepted RING_PACKED (34), which
      !   depends on VERSION_1 (32): the accepted set had no VERSION_1
      !   mend: accept VERSION_1 whenever it is offered
      15.00  driver    queue     queue 0         at most 256     packed ring §3.1.1
                                                 → 256
                                                 descriptors"
    `);
  });

  it("has an event in a line at 160 columns", () => {
    expect(transcriptTable(story, { findings, width: 160 })).toMatchInlineSnapshot(`
      "   ms  side      step      field                before → after                 section  note
       0.00  driver    reset     status               0x0f → 0x00                    §2.4     asks for a reset
       1.25    device  reset     status               0x0f → 0x00                    §2.4
                       offered: MTU, MAC, MRG_RXBUF, CTRL_VQ, MQ, INDIRECT_DESC, EVENT_IDX, VERSION_1, RING_PACKED
       2.50    device  status    status               0x00                           §2.1     read 3 times
       6.25  driver    features  offered              9 features                     §2.2.1   read
                       offered: MTU, MAC, MRG_RXBUF, CTRL_VQ, MQ, INDIRECT_DESC, EVENT_IDX, VERSION_1, RING_PACKED
       7.50  driver    features  accepted             8 features                     §3.1.1   accepts
                       accepted: MTU, MAC, MRG_RXBUF, CTRL_VQ, INDIRECT_DESC, EVENT_IDX, VERSION_1, RING_PACKED
       8.75    device  features  accepted word 0      0x00000000 → 0x30028028        §2.2
                       accepted: MTU, MAC, MRG_RXBUF, CTRL_VQ, INDIRECT_DESC, EVENT_IDX
      10.00    device  features  accepted word 1      0x00000000 → 0x00000005        §2.2
                       accepted: MTU, MAC, MRG_RXBUF, CTRL_VQ, INDIRECT_DESC, EVENT_IDX, +VERSION_1, +RING_PACKED
      11.25  driver    config    max_virtqueue_pairs  0x0008                         §5.1.4   read
      ! NET-012 SHOULD NOT §5.1.4 driver: max_virtqueue_pairs was read, MQ was not accepted
      !   mend: accept MQ first
      12.50  driver    features  accepted             7 features                     §3.1.1   drops MTU
                       accepted: MAC, MRG_RXBUF, CTRL_VQ, INDIRECT_DESC, EVENT_IDX, VERSION_1, RING_PACKED, −MTU
      13.75    device  status    FEATURES_OK          0x03 → 0x03                    §2.2.2   FEATURES_REFUSED: refused: VERSION_1 (32) must be accepted;
                                                                                              policy retryAfterRefusal: judge
      ! FEATURES-001 MUST NOT §2.2.1 driver: accepted RING_PACKED (34), which depends on VERSION_1 (32): the accepted set had no VERSION_1
      !   mend: accept VERSION_1 whenever it is offered
      15.00  driver    queue     queue 0              at most 256 → 256 descriptors  §3.1.1   packed ring"
    `);
  });

  it("has notes below their rows at 60 columns, and at 40 one text beside the side", () => {
    const few = [0, 7, 11].flatMap((seq) => story[seq] ?? []);
    expect(transcriptTable(few, { width: 60 })).toMatchInlineSnapshot(`
      "   ms  side      step      field            before → after
       0.00  driver    reset     status           0x0f → 0x00
                       asks for a reset §2.4
       8.75    device  features  accepted word 0  0x00000000
                                                  → 0x30028028
                       §2.2
                       offered: MTU, MAC, MRG_RXBUF, CTRL_VQ,
                         MQ, INDIRECT_DESC, EVENT_IDX, VERSION_1,
                         RING_PACKED
                       accepted: MTU, MAC, MRG_RXBUF, CTRL_VQ,
                         INDIRECT_DESC, EVENT_IDX
      13.75    device  status    FEATURES_OK      0x03 → 0x03
                       FEATURES_REFUSED: refused: VERSION_1 (32)
                       must be accepted;
                       policy retryAfterRefusal: judge §2.2.2"
    `);
    expect(transcriptTable(few, { width: 40, times: false })).toMatchInlineSnapshot(`
      "side      event
      driver    reset status 0x0f → 0x00: asks
                for a reset §2.4
        device  features accepted word 0
                0x00000000 → 0x30028028: §2.2
                offered: MTU, MAC,
                  MRG_RXBUF, CTRL_VQ, MQ,
                  INDIRECT_DESC, EVENT_IDX,
                  VERSION_1, RING_PACKED
                accepted: MTU, MAC,
                  MRG_RXBUF, CTRL_VQ,
                  INDIRECT_DESC, EVENT_IDX
        device  status FEATURES_OK 0x03
                → 0x03: FEATURES_REFUSED:
                refused: VERSION_1 (32) must
                be accepted;
                policy retryAfterRefusal:
                judge §2.2.2"
    `);
  });

  it("doesn't cut a word of a note or a 64-bit value", () => {
    const note = "SEED241_A_NAME_OF_THIRTY_LETTERS is no feature";
    const list = events(
      { ...story[7], note },
      { step: "config", field: "capacity", after: "0x0000000000000200" },
    );
    for (let width = 80; width <= 200; width++) {
      const text = transcriptTable(list, { width });
      expect(text).toContain("SEED241_A_NAME_OF_THIRTY_LETTERS");
      expect(text).toContain("0x0000000000000200");
    }
  });

  it("in short leaves out reads and what repeats the other side, but no event with a finding", () => {
    const short = transcriptTable(story, { short: true, width: 160, times: false });
    expect(
      short.match(/^ *(driver|device) +\w+ +\S+( \d)?/gm)?.map((line) => line.split(/ {2,}/).at(-1)),
    ).toEqual([
      ...["status", "offered", "accepted", "max_virtqueue_pairs", "accepted", "FEATURES_OK", "queue 0"],
    ]);
    expect(short).toContain("policy retryAfterRefusal: judge");
    const [finding] = findings;
    const marked = transcriptTable(story, {
      short: true,
      findings: finding === undefined ? [] : [{ ...finding, seq: 3 }],
    });
    expect(marked).toMatch(/3\.75 +device +status +status +0x00 +read §2\.1\n! NET-012/);
  });

  it("folds equal reads, and only those: another value, a decision or a finding gets its own row", () => {
    const lines = (list: Partial<ShownEvent>[], at?: number) => {
      const [finding] = findings;
      const marks = at === undefined || finding === undefined ? [] : [{ ...finding, seq: at }];
      const text = transcriptTable(events(...list), { width: 160, findings: marks });
      return text.split("\n").filter((line) => /^ *\d/.test(line)).length;
    };
    expect(lines([reads(1), reads(1), reads(1)])).toBe(1);
    expect(lines([reads(1), reads(3), reads(1)])).toBe(3);
    expect(lines([reads(1), { ...reads(1), policy: { name: "a", choice: "b" } }, reads(1)])).toBe(3);
    expect(lines([reads(1), { ...reads(1), device: "target" }])).toBe(2);
    expect(lines([reads(1), { ...reads(1), ...sets(ALL) }, reads(1)])).toBe(3);
    expect(
      lines([
        { ...status, after: "0x01" },
        { ...status, after: "0x01" },
      ]),
    ).toBe(2);
    expect(lines([reads(1), reads(1), reads(1), reads(1)], 1)).toBe(3);
  });

  it("has the feature words that are read in their order in a row", () => {
    const word = (index: number, value: number): Partial<ShownEvent> => ({
      ...{
        step: "features",
        field: `offered word ${index}`,
        after: `0x0000000${value}`,
        section: "2.2",
        note: "read",
      },
      access: { register: "device-features", how: "read", index, value },
    });
    const rows = (...list: Partial<ShownEvent>[]) =>
      transcriptTable(events(...list), { width: 160, times: false })
        .split("\n")
        .slice(1)
        .map((line) => line.split(/ {2,}/).slice(2).join(", "));
    expect(rows(word(0, 4), word(1, 5), word(2, 0))).toEqual([
      "offered word 0…2, 0x00000004 0x00000005 0x00000000, §2.2, read",
    ]);
    expect(rows(word(0, 4), word(0, 4), word(1, 5), word(2, 0))).toEqual([
      "offered word 0, 0x00000004, §2.2, read 2 times",
      "offered word 1…2, 0x00000005 0x00000000, §2.2, read",
    ]);
    expect(rows(word(0, 4), word(1, 5), word(1, 5))).toEqual([
      "offered word 0…1, 0x00000004 0x00000005, §2.2, read",
      "offered word 1, 0x00000005, §2.2, read",
    ]);
    expect(rows(word(1, 5), word(0, 4), word(2, 0))).toHaveLength(3);
    expect(rows(word(0, 4), word(0, 4), word(2, 0))).toHaveLength(2);
    const changed = { ...word(1, 5), sets: { offered: ["MTU"], accepted: [], negotiated: [] } };
    expect(rows(word(0, 4), changed).filter((row) => row.startsWith("offered word"))).toHaveLength(2);
  });

  it("names register and value of an event that has nothing but an access", () => {
    const access: RegisterAccess = { register: "device-features", how: "read", index: 1, value: 5 };
    const text = transcriptTable(events({ ...device, step: "access", access }), { width: 160 });
    expect(text).toMatch(/access +device-features 1 +0x00000005 +§3\.1\.1 +read$/);
  });

  it("marks what was added to a set and what removed; a long list is not written twice", () => {
    const many = Array.from({ length: 30 }, (_, i) => `FEATURE_${i}`);
    const change = (accepted: readonly string[], negotiated: readonly string[] = []) => ({
      sets: { offered: many, accepted, negotiated },
    });
    const text = transcriptTable(
      events(
        { ...device, ...change([]) },
        change(many),
        change([...many.slice(1), "bit 50"]),
        change(many.slice(0, 2)),
        change(many.slice(1, 3), many.slice(1, 3)),
        change([]),
        { ...device, ...change(many, many) },
      ),
      { width: 80 },
    );
    const below = text.split("\n").filter((line) => /^ +[a-z]+: /.test(line));
    expect(below.map((line) => line.trim())).toEqual([
      expect.stringMatching(/^offered: FEATURE_0, FEATURE_1, .*,$/),
      "offered: the same 30 as the device's",
      "accepted: all 30 that are offered",
      "accepted: +bit 50, −FEATURE_0; 30 in all",
      expect.stringMatching(/^accepted: \+FEATURE_0, −FEATURE_2, −FEATURE_3, .*,$/),
      "accepted: FEATURE_1, +FEATURE_2, −FEATURE_0",
      "negotiated: FEATURE_1, FEATURE_2",
      "accepted: none",
      "negotiated: none",
      "accepted: all 30 that are offered",
      "negotiated: all 30 that are accepted",
    ]);
  });

  it("has the name of the device where it changes, if there are several", () => {
    const [one, other] = [{ device: "source" }, { device: "target" }];
    const text = transcriptTable(events(one, one, other, one), { times: false });
    expect(text.split("\n").map((line) => line.split(" ")[0])).toEqual(
      "side source: driver driver target: driver source: driver".split(" "),
    );
    expect(transcriptTable(events(one, one))).not.toContain("source");
    const both = transcriptTable(events({ ...one, ...sets(CHOICE) }, { ...other, ...sets(CHOICE) }));
    expect(both.match(/ offered: MTU, MAC/g)).toHaveLength(2);
  });

  it("loses no finding: one without its event stands at the end", () => {
    const [finding] = findings;
    if (finding === undefined) throw new Error("no finding");
    const text = transcriptTable(events({}), { findings: [{ ...finding, seq: 99 }] });
    expect(text.split("\n").slice(-3)).toEqual([
      "! NET-012 SHOULD NOT §5.1.4 driver: max_virtqueue_pairs was read, MQ was not",
      "!   accepted",
      "!   mend: accept MQ first",
    ]);
    expect(transcriptTable([])).toBe("");
  });

  it("writes every feature name whole, whatever the width", () => {
    for (let width = 40; width <= 200; width++) {
      const text = transcriptTable(events({ ...device, ...sets([]) }), { width });
      const list = text.slice(text.indexOf("offered:") + "offered:".length);
      expect(list.split(",").map((name) => name.trim())).toEqual(ALL);
    }
  });

  it("lets nothing through that moves a terminal's cursor", () => {
    const text = transcriptTable(events({ note: "a\nb\u001b[2Jc\td\u009be", field: "\r\u0007x" }));
    expect(text.split("\n")).toHaveLength(2);
    expect(text.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  });

  it("with Infinity breaks nothing, and takes a width that is none for the least", () => {
    const note = "word ".repeat(200).trim();
    expect(transcriptTable(events({ note }), { width: Number.POSITIVE_INFINITY })).toContain(note);
    for (const width of [0, -1, Number.NaN]) {
      for (const line of transcriptTable(story, { width, findings }).split("\n")) {
        expect(line.length).toBeLessThanOrEqual(24);
      }
    }
  });
});

const text = fc.oneof(
  fc.string({ maxLength: 90 }),
  fc.constantFrom(
    "status",
    "VIRTIO_F_RING_PACKED (bit 34) was negotiated",
    "accepted word 0",
    "0x0000000000000000",
  ),
  fc.array(fc.constantFrom(...ALL), { maxLength: 30 }).map((names) => names.join(" | ")),
);
const names = fc.uniqueArray(
  fc.oneof(
    fc.constantFrom(...ALL),
    fc.nat(127).map((bit) => `bit ${bit}`),
  ),
);
const anySide = fc.constantFrom("driver" as const, "device" as const);
const anyEvent = fc.record(
  {
    ...{ side: anySide, step: text, section: text, field: text, before: text, after: text, note: text },
    time: fc.oneof(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.constant(1e300)),
    device: fc.constantFrom("source", "target"),
    code: fc.constantFrom("FEATURES_REFUSED" as const, "CONFIG_RANGE" as const),
    sets: fc.record({ offered: names, accepted: names, negotiated: names }),
    policy: fc.record({ name: text, choice: text }),
    access: fc.record({
      register: fc.constantFrom("status" as const, "config" as const, "driver-features" as const),
      how: fc.constantFrom("read" as const, "write" as const),
      value: fc.nat(0xffffffff),
    }),
  },
  { requiredKeys: ["side", "step", "section", "time"] },
);
const anyFinding = fc.record({
  ...{ seq: fc.nat(12), side: anySide, clause: text, level: text, section: text, what: text, mend: text },
});
const anyTable = fc.record({
  list: fc.array(anyEvent, { maxLength: 8 }).map((list) => list.map((event, seq) => ({ ...event, seq }))),
  options: fc.record({
    ...{ findings: fc.array(anyFinding, { maxLength: 3 }), short: fc.boolean(), times: fc.boolean() },
    width: fc.oneof(fc.integer({ min: 60, max: 200 }), fc.integer({ min: 24, max: 60 })),
  }),
});

describe("any transcript", () => {
  it("has no line wider than was said and none that ends in spaces", () => {
    fc.assert(
      fc.property(anyTable, ({ list, options }) => {
        for (const line of transcriptTable(list, options).split("\n")) {
          expect(line.length, line).toBeLessThanOrEqual(options.width);
          expect(line).not.toMatch(/ $/);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("reads the same with colours and without", () => {
    const paint = picocolors.createColors(true);
    fc.assert(
      fc.property(anyTable, ({ list, options }) => {
        const painted = transcriptTable(list, { ...options, paint });
        // biome-ignore lint/suspicious/noControlCharactersInRegex: the codes that a terminal takes for colours
        expect(painted.replace(/\u001b\[\d+m/g, "")).toBe(transcriptTable(list, options));
      }),
      { numRuns: 200 },
    );
    const colourful = transcriptTable(story, { paint, findings });
    expect(colourful).toContain("\n\u001b[31m! FEATURES-001 MUST NOT");
    expect(colourful).toContain(`${paint.dim("0x00")}            ${paint.dim("read 3 times §2.1")}\n`);
  });
});
