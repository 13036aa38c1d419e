/**
 * Single breaches to be put into a generated run: when, under which circumstances, and what is found then. A breach
 * that the run can't go on after ends the life with `run.stop()`.
 */
import type { ClauseId } from "../../../src/conformance/clauses";
import type { ConfigLayout } from "../../../src/negotiation/config-table";
import { FeatureSet } from "../../../src/negotiation/feature-set";
import { missingPrerequisites } from "../../../src/negotiation/prerequisites";
import {
  accepts,
  enables,
  exposed,
  findsQueue,
  generation,
  type Happening,
  notice,
  notifies,
  reads,
  set,
  shows,
  stops,
  writes,
} from "./accesses";
import type { GeneratedRun, Stage, Wishes } from "./generator";

/** One labelled breach. */
export interface Breach {
  readonly clause: ClauseId;
  /** Clauses that the same deed breaks. */
  readonly also?: readonly ClauseId[];
  readonly wishes?: Wishes;
  /** Empty if the breach is in the offer. */
  readonly stages: readonly Stage[];
  /** Does it. @returns false, with nothing done, where it can't be done */
  readonly does: (run: GeneratedRun) => unknown;
}

const BEFORE_FEATURES_OK: readonly Stage[] = ["acknowledged", "negotiating"];
const SUSPEND: Wishes = { features: ["SUSPEND"], often: "suspend" };
const FAIL: Wishes = { often: "fail" };
const REFUSE: Wishes = { often: "refuse" };
const MQ = 22;
/** CTRL_VQ, and what rests on it beside MQ. */
const ON_CTRL_VQ = [17, 18, 19, 21, 23, 51, 52, 53, 60, 64];

/** Emits, and the run goes on. */
const row = (
  clause: ClauseId,
  stages: readonly Stage[],
  does: Breach["does"],
  more: Partial<Breach> = {},
): Breach => ({ clause, stages, does, ...more });

/** A set that no driver is to accept; the device refuses it. */
const wrongSet = (
  clause: ClauseId,
  change: (run: GeneratedRun) => FeatureSet | undefined,
  more: Partial<Breach> = {},
): Breach =>
  row(
    clause,
    ["accepted"],
    (run) => {
      const wrong = change(run);
      if (wrong === undefined || run.agreed.has(wrong.words.join())) return false;
      run.tryFeatures(wrong, false);
      run.stop();
    },
    more,
  );

/** An offer that no device is to make. */
const wrongOffer = (
  clause: ClauseId,
  offer: (run: GeneratedRun) => FeatureSet | undefined,
  more: Partial<Breach> = {},
): Breach => row(clause, [], () => undefined, { ...more, wishes: { ...more.wishes, offer } });

const narrow = (run: GeneratedRun, also: (field: ConfigLayout) => boolean = () => true) =>
  run.choices.pick(run.fields((field) => field.bytes <= 4 && also(field)));

/** A field that is offered and not accepted. */
const unaccepted = (run: GeneratedRun) =>
  run.choices.pick(
    run.layout.filter(
      (field) =>
        run.exists(field) &&
        !run.isAccepted(field) &&
        field.bytes <= 4 &&
        field.writable === false &&
        !field.name.startsWith("zoned."),
    ),
  );

const width = ({ bytes }: ConfigLayout) => (bytes === 1 || bytes === 2 ? bytes : 4);
const readOf = (run: GeneratedRun, field: ConfigLayout) =>
  reads(field.offset, width(field), run.value(field.offset, field.bytes));
const writeOf = (run: GeneratedRun, field: ConfigLayout) =>
  writes(field.offset, width(field), run.value(field.offset, field.bytes) ^ 1);

/** A write to a field that exists and isn't free. */
const writesField = (run: GeneratedRun): boolean => {
  const field = run.choices.pick(
    run.layout.filter((one) => run.exists(one) && one.bytes <= 4 && one.writable !== "any-time"),
  );
  if (field === undefined) return false;
  run.emit(writeOf(run, field));
  return true;
};

const emits =
  (...happenings: readonly Happening[]) =>
  (run: GeneratedRun): void =>
    run.emit(...happenings);
const ends =
  (...happenings: readonly Happening[]) =>
  (run: GeneratedRun): void => {
    run.emit(...happenings);
    run.stop();
  };

/** A usable bit that isn't offered, and rests on nothing. */
const unofferedBit = (run: GeneratedRun) =>
  run.choices.pick(
    run.usable.filter(
      (bit) =>
        bit < 64 && !run.offered.has(bit) && missingPrerequisites(FeatureSet.of(bit), run.type).length === 0,
    ),
  );

export const BREACHES: readonly Breach[] = [
  row("STATUS-001", ["acknowledged", "negotiating", "setup", "live"], (run) => {
    run.emit(set(run.status | 0x20), shows(run.status));
  }),
  row("STATUS-002", ["negotiating", "setup", "live"], (run) => {
    run.emit(set(run.status & ~1), shows(run.status));
  }),
  row(
    "STATUS-003",
    ["failed"],
    (run) => {
      const step = [1, 2, 8, 4].find((bit) => (run.status & bit) === 0);
      if (step === undefined) return false;
      run.emit(set(run.status | step));
    },
    { wishes: FAIL },
  ),
  row("STATUS-005", [...BEFORE_FEATURES_OK, "checking", "setup"], emits(notice("used"))),
  row("STATUS-007", ["live"], ends(shows(0xf), shows(0x4f), shows(0x4f), shows(0x4f)), {
    also: ["OPERATION-002"],
  }),
  row("OPERATION-002", ["live"], ends(shows(0xf), notice("used"), shows(0x4f), shows(0x4f)), {
    also: ["STATUS-007"],
  }),
  row(
    "STATUS-009",
    ["live"],
    (run) => {
      if (run.accepted.has("SUSPEND")) return false;
      run.emit(set(0x1f), shows(0xf));
    },
    { also: ["SUSPEND-001"] },
  ),
  row("STATUS-009", ["live"], (run) => {
    if (run.accepted.has("SUSPEND")) return false;
    run.emit(shows(0x1f), shows(0xf));
  }),
  wrongSet("FEATURES-001", (run) => {
    const bit = unofferedBit(run);
    return bit === undefined ? undefined : run.accepted.with(bit);
  }),
  wrongSet(
    "FEATURES-002",
    (run) => (run.offered.has(MQ) ? run.accepted.with(MQ).minus(FeatureSet.from(ON_CTRL_VQ)) : undefined),
    { wishes: { type: "net", features: [17, MQ] } },
  ),
  wrongSet("FEATURES-005", (run) => run.accepted.with(27), { wishes: { features: [27] } }),
  wrongOffer("FEATURES-009", (run) => run.offered.with(MQ).without(...ON_CTRL_VQ), {
    wishes: { type: "net" },
  }),
  row(
    "FEATURES-011",
    ["accepted"],
    (run) => {
      const bit = unofferedBit(run);
      if (bit === undefined) return false;
      run.tryFeatures(run.accepted.with(bit), true);
      run.stop();
    },
    { also: ["SEED241-002", "FEATURES-001"] },
  ),
  wrongOffer("FEATURES-012", (run) => run.offered.with(45)),
  row("FEATURES-013", ["accepted"], (run) => {
    if (!run.agreed.has(run.accepted.words.join())) return false;
    run.emit(set(run.status | 8), shows(run.status));
    run.stop();
  }),
  row("SEED241-004", ["setup", "live"], (run) => {
    run.emit(accepts(1, (run.accepted.word(1) & ~1) >>> 0));
  }),
  row(
    "INIT-004",
    ["checking", "setup", "live"],
    (run) => {
      if ((run.accepted.word(0) & 0x80000000) !== 0) return false;
      run.emit(accepts(0, (run.accepted.word(0) | 0x80000000) >>> 0));
      // What the device may still refuse is the driver's to undo.
      run.emit(accepts(0, run.accepted.word(0)));
    },
    { also: ["SEED241-004"] },
  ),
  row("SEED241-005", ["negotiating"], emits(enables(0)), { also: ["INIT-009"] }),
  row(
    "SEED241-010",
    ["negotiating"],
    (run) => {
      const field = unaccepted(run);
      if (field === undefined) return false;
      run.emit(readOf(run, field));
    },
    { also: ["SEED241-007"] },
  ),
  row("SEED241-007", ["acknowledged", "setup", "live"], (run) => {
    const field = unaccepted(run);
    if (field === undefined) return false;
    run.emit(readOf(run, field));
  }),
  row("INIT-003", ["negotiating"], writesField, { also: ["SEED241-009"] }),
  row("INIT-009", ["acknowledged", "reset"], writesField, { also: ["SEED241-009"] }),
  row("INIT-009", BEFORE_FEATURES_OK, emits(findsQueue(0))),
  row(
    "SEED241-012",
    ["negotiating"],
    (run) => {
      const field = unaccepted(run);
      const bit = field?.anyOf.find((name) => run.offered.has(name, run.type));
      if (field === undefined || bit === undefined) return false;
      run.emit(generation(run.generation), readOf(run, field));
      const before = run.accepted;
      run.accept(before.union(FeatureSet.from([bit], run.type)));
      run.poke(field);
      run.emit(readOf(run, field), generation(run.generation));
      run.accept(before);
    },
    { also: ["SEED241-007", "SEED241-010"] },
  ),
  row("CONFIG-001", ["live"], (run) => {
    const field = run.choices.pick(run.fields(({ bytes }) => bytes > 4));
    if (field === undefined || run.isLegacy) return false;
    run.emit(notifies(0), generation(run.generation));
    run.readPieces(field);
    run.generation = (run.generation + 1) & 0xff;
    run.emit(generation(run.generation), notifies(0));
  }),
  row("CONFIG-002", ["setup", "live"], (run) => {
    const field = run.choices.pick(run.fields(({ bytes }) => bytes > 4));
    if (field === undefined) return false;
    run.emit(findsQueue(0));
    if (run.choices.oneIn(2)) run.emit(generation(run.generation));
    run.readPieces(field);
    run.emit(findsQueue(0));
  }),
  row("CONFIG-003", ["negotiating", "setup", "live"], (run) => {
    const field = run.choices.pick(run.layout.filter((one) => !run.exists(one) && one.bytes <= 4));
    if (field === undefined) return false;
    run.emit(run.choices.oneIn(2) && run.status >= 0xb ? writeOf(run, field) : readOf(run, field));
  }),
  row("CONFIG-006", ["accepted"], (run) => {
    const field = narrow(run, ({ writable, name }) => writable === false && !name.startsWith("zoned."));
    if (field === undefined) return false;
    run.emit(generation(run.generation), readOf(run, field), set(run.status | 8), shows(run.status | 8));
    run.agreed.add(run.accepted.words.join());
    run.poke(field);
    run.emit(readOf(run, field), generation(run.generation));
    run.stop();
  }),
  row("CONFIG-008", ["negotiating", "setup", "live"], (run) => {
    const field = narrow(run);
    if (field === undefined) return false;
    run.emit(generation(run.generation), readOf(run, field));
    run.poke(field);
    run.emit(readOf(run, field), generation(run.generation));
  }),
  row(
    "CONFIG-009",
    ["legacy", "live"],
    (run) => {
      const field = run.choices.pick(run.fields(({ bytes }) => bytes > 4));
      if (field === undefined) return false;
      run.emit(notifies(0));
      run.readPieces(field);
      run.emit(notifies(0));
    },
    { wishes: { legacy: true, type: "blk" } },
  ),
  row("INIT-001", ["start"], emits(set(1))),
  row("INIT-001", ["reset"], ends(set(3))),
  row("INIT-001", ["acknowledged"], emits(accepts(0, 0))),
  row("INIT-001", ["negotiating"], ends(set(7))),
  row("INIT-001", ["live"], emits(enables(9))),
  row("INIT-005", ["checking"], ends(set(0xf), notifies(0))),
  row("INIT-005", ["checking"], emits(findsQueue(0))),
  row(
    "INIT-005",
    ["refused"],
    (run) => {
      run.tryFeatures(run.accepted.without(43), true);
      run.stop();
    },
    { wishes: REFUSE },
  ),
  row("INIT-007", ["refused"], emits(enables(0)), { wishes: REFUSE, also: ["INIT-005"] }),
  row(
    "INIT-007",
    ["failed"],
    (run) => {
      if (run.wasLive) return false;
      run.emit(findsQueue(0));
    },
    { wishes: FAIL },
  ),
  row("INIT-008", [...BEFORE_FEATURES_OK, "checking", "refused", "setup"], emits(notifies(0))),
  row("INIT-010", ["legacy"], (run) => run.emit(set(run.status | 8), shows(run.status)), {
    wishes: { legacy: true },
  }),
  row("RESET-001", ["reset"], emits(shows(0xf), shows(0xf), shows(0))),
  row("RESET-002", ["reset"], emits(notice("used"))),
  row("RESET-002", ["reset"], emits(notice("config"))),
  row("RESET-003", ["resetting"], emits(set(1))),
  row("RESET-003", ["resetting"], emits(generation(0))),
  row("SUSPEND-001", ["setup"], (run) => {
    if (!run.accepted.has("SUSPEND")) return false;
    run.emit(set(0x1b), shows(0xb));
  }),
  row("SUSPEND-002", ["suspending"], emits(set(0x1f)), { wishes: SUSPEND }),
  row("SUSPEND-003", ["suspended"], emits(exposed(0)), { wishes: SUSPEND }),
  row("SUSPEND-004", ["suspending", "suspended"], emits(notifies(0)), { wishes: SUSPEND }),
  row("SUSPEND-005", ["suspending", "suspended"], emits(stops(0)), { wishes: SUSPEND }),
  row("SUSPEND-006", ["resuming"], emits(notifies(0)), { wishes: SUSPEND }),
  row("SUSPEND-006", ["resuming"], emits(set(0x1f)), { wishes: SUSPEND }),
  row(
    "SUSPEND-007",
    ["setup"],
    (run) => {
      if (!run.accepted.has("SUSPEND")) return false;
      run.emit(set(0x1b), shows(0x1b), shows(0xb));
    },
    { also: ["SUSPEND-001"] },
  ),
  row(
    "SUSPEND-008",
    ["suspended"],
    (run) => {
      const field = narrow(run, ({ writable }) => writable !== "any-time");
      if (field === undefined) return false;
      run.emit(readOf(run, field), writeOf(run, field));
      run.poke(field);
      run.emit(readOf(run, field));
    },
    { wishes: SUSPEND, also: ["SUSPEND-005"] },
  ),
  row("SUSPEND-009", ["suspended"], emits(notice("used")), { wishes: SUSPEND }),
  row(
    "SUSPEND-009",
    ["suspended"],
    (run) => {
      const field = narrow(run);
      if (field === undefined) return false;
      run.emit(readOf(run, field));
      run.poke(field);
      run.emit(readOf(run, field));
    },
    { wishes: SUSPEND },
  ),
  row("SUSPEND-010", ["suspended"], emits(notice("config")), { wishes: SUSPEND }),
  row("SUSPEND-012", ["suspending"], ends(shows(0xb)), { wishes: SUSPEND }),
  row("SUSPEND-013", ["resuming"], ends(shows(0xb)), { wishes: SUSPEND }),
  row("SUSPEND-015", ["suspended"], ends(shows(0xf)), { wishes: SUSPEND }),
  ...(
    [
      ["RESERVED-001", "VERSION_1"],
      ["RESERVED-003", "ACCESS_PLATFORM"],
      ["RESERVED-006", "RING_PACKED"],
      ["RESERVED-007", "ORDER_PLATFORM"],
      ["RESERVED-013", "NOTIF_CONFIG_DATA"],
    ] as const
  ).map(([clause, name]) =>
    wrongSet(clause, (run) => run.accepted.without(name), { wishes: { features: [name], transport: "pci" } }),
  ),
  wrongSet("RESERVED-010", (run) => run.accepted.with("SR_IOV"), {
    wishes: { transport: "mmio" },
    also: ["FEATURES-001", "FEATURES-005"],
  }),
  wrongSet("RESERVED-024", (run) => run.accepted.with("ADMIN_VQ"), {
    wishes: { transport: "loopback" },
    also: ["FEATURES-001", "FEATURES-005"],
  }),
  wrongSet("RESERVED-031", (run) => run.accepted.with(30), { wishes: { features: [30] } }),
  wrongOffer("RESERVED-014", (run) => run.offered.without("VERSION_1")),
  wrongOffer("RESERVED-023", (run) => run.offered.with("SR_IOV"), {
    wishes: { transport: "loopback" },
    also: ["FEATURES-012"],
  }),
  wrongOffer("RESERVED-024", (run) => run.offered.with("ADMIN_VQ"), {
    wishes: { transport: "mmio" },
    also: ["FEATURES-012"],
  }),
  wrongOffer("RESERVED-029", (run) => run.offered.with("VERSION_1").without(27), {
    wishes: { legacy: true },
  }),
];
