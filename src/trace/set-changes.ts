/** The three feature sets in a transcript: what is written below an event that changed one of them (§2.2). */
import type { SetNames } from "../negotiation/control-event";
import type { ShownEvent } from "./transcript-rows";
import { GLUE } from "./wrap-words";

/** A set that is another one than the reader saw before. */
export interface SetChange {
  readonly name: keyof SetNames;
  /** The names between commas; "+" marks an added one and "−" a removed one, where there were others before. */
  readonly text: string;
}

/** A list of so many names is written whole, however narrow the terminal. */
const SHORT_LIST = 5;

const NOTHING: SetNames = { offered: [], accepted: [], negotiated: [] };

/** What a reader has seen of the sets of each device, as each side sees them. */
export class SetChanges {
  private readonly shown = new Map<string, SetNames>();
  private readonly areSidesOne: boolean;

  /** @param areSidesOne don't show a set twice because both sides have it */
  constructor(areSidesOne: boolean) {
    this.areSidesOne = areSidesOne;
  }

  /**
   * What this event changes for the reader. A list of few names, or one that fits into a line, is whole; of a longer one
   * there is what was added and removed, or which known list it equals.
   *
   * @param room columns for a set's name and its list
   */
  after(event: ShownEvent, room: number): SetChange[] {
    const { sets, side } = event;
    if (sets === undefined) return [];
    const otherSide = side === "driver" ? "device" : "driver";
    const before = this.shown.get(this.view(event, side)) ?? NOTHING;
    const other = this.shown.get(this.view(event, otherSide)) ?? NOTHING;
    this.shown.set(this.view(event, side), sets);
    const known: Record<keyof SetNames, Known> = {
      offered: { names: other.offered, text: (count) => `the same ${count} as the ${otherSide}'s` },
      accepted: { names: sets.offered, text: (count) => `all ${count} that are offered` },
      negotiated: { names: sets.accepted, text: (count) => `all ${count} that are accepted` },
    };
    return (["offered", "accepted", "negotiated"] as const).flatMap((name) => {
      const text = changeText(before[name], sets[name], known[name], room - name.length - 2);
      return text === undefined ? [] : [{ name, text }];
    });
  }

  private view({ device }: ShownEvent, side: ShownEvent["side"]): string {
    return `${this.areSidesOne ? "both" : side} ${device ?? ""}`;
  }
}

/** A list that the reader knows, and how to name it. */
interface Known {
  readonly names: readonly string[];
  readonly text: (count: number) => string;
}

function changeText(
  before: readonly string[],
  now: readonly string[],
  known: Known,
  room: number,
): string | undefined {
  const [was, is] = [new Set(before), new Set(now)];
  const removed = before.filter((name) => !is.has(name)).map((name) => `−${name}`);
  const added = now.filter((name) => !was.has(name)).map((name) => `+${name}`);
  if (removed.length + added.length === 0) return undefined;
  if (now.length === 0) return "none";
  const marked = before.length === 0 ? now : now.map((name) => (was.has(name) ? name : `+${name}`));
  const whole = list([...marked, ...removed]);
  if (whole.length <= room || now.length + removed.length <= SHORT_LIST) return whole;
  if (before.length > 0) return `${list([...added, ...removed])}; ${now.length} in all`;
  const isKnown = known.names.length === now.length && known.names.every((name) => is.has(name));
  return isKnown ? known.text(now.length) : whole;
}

function list(names: readonly string[]): string {
  return names.map((name) => name.replaceAll(" ", GLUE)).join(", ");
}
