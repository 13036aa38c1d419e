/** What is shown of one device: how its ring came about, what was negotiated, and what it has done, live. */
import type { AttachedDevice } from "virtq/v86";
import { element } from "./element";

type Counters = AttachedDevice["counters"];

const COUNTERS: readonly { readonly name: keyof Counters; readonly label: string; readonly bytes?: true }[] =
  [
    { name: "chains", label: "chains" },
    { name: "bytesToDevice", label: "to the device", bytes: true },
    { name: "bytesFromDevice", label: "from the device", bytes: true },
    { name: "availableNotifications", label: "kicks" },
    { name: "usedNotifications", label: "notifications sent" },
    { name: "usedSuppressed", label: "suppressed" },
    { name: "interrupts", label: "interrupts" },
    { name: "drops", label: "drops" },
    { name: "violations", label: "violations" },
  ];
/** How many values the pulse is of, and the height of its drawing. */
const PULSE = { values: 60, height: 20, margin: 1.5 };
const TITLES: Readonly<Record<string, string>> = {
  disk: "Disk",
  network: "Network",
  entropy: "Entropy",
  console: "Console",
};

const counts = new Intl.NumberFormat("en");
const UNITS = ["B", "KiB", "MiB", "GiB"];

function bytesText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(value < 100 ? 1 : 0)} ${UNITS[power]}`;
}

/** One card. */
export class DeviceCard {
  readonly root: HTMLElement;
  private readonly attached: AttachedDevice;
  private readonly values = new Map<keyof Counters, HTMLElement>();
  private readonly pulse: number[] = new Array<number>(PULSE.values).fill(0);
  private readonly layouts: string[] = [];
  private chains = 0;

  /** @param template of `#card` */
  constructor(attached: AttachedDevice, template: HTMLTemplateElement) {
    this.attached = attached;
    const { name, slot } = attached;
    this.root = element(template.content, "article").cloneNode(true) as HTMLElement;
    this.root.dataset.device = name;
    this.text("h2", TITLES[name] ?? name);
    const id = attached.pci.readConfig(2, 2).toString(16);
    this.text(".place", `00:${slot.toString(16).padStart(2, "0")}.0 · 1af4:${id}`);
    const list = element(this.root, ".counters");
    for (const { name: counter, label } of COUNTERS) {
      const [term, value] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = label;
      value.dataset.counter = counter;
      this.values.set(counter, value);
      list.append(term, value);
    }
    this.update();
  }

  /** A ring's layout was settled: firmware may have had another one than Linux. */
  settled(layout: string): void {
    this.layouts.push(layout);
  }

  /** Shows how things stand. To be called at a regular pace: the pulse has a step for each call. */
  update(): void {
    const { device, counters } = this.attached;
    const { phase, ring } = device;
    this.root.dataset.phase = phase;
    this.text(".phase", phase);
    this.root.dataset.layout = ring?.layout ?? "none";
    this.text(".layout", ring?.layout ?? "no ring yet");
    this.text(".reason", this.reason());
    for (const { name, bytes } of COUNTERS) {
      const value = this.values.get(name);
      if (value === undefined || value.dataset.value === `${counters[name]}`) continue;
      value.dataset.value = `${counters[name]}`;
      value.textContent = bytes ? bytesText(counters[name]) : counts.format(counters[name]);
    }
    this.beat(counters.chains);
    this.showFeatures();
  }

  private reason(): string {
    const { ring } = this.attached.device;
    const before = this.layouts.slice(0, -1).at(-1);
    if (ring === undefined) return "It follows from what the driver accepts.";
    const more = [ring.indirect && "indirect descriptors", ring.eventIdx && "event index"].filter(Boolean);
    const firmware = before !== undefined && before !== ring.layout ? ` The firmware had it ${before}.` : "";
    return `${more.length === 0 ? "" : `With ${more.join(" and ")}. `}${ring.reason}.${firmware}`;
  }

  private beat(chains: number): void {
    this.pulse.push(chains - this.chains);
    this.pulse.shift();
    this.chains = chains;
    const most = Math.max(1, ...this.pulse);
    const y = (value: number) =>
      PULSE.height - PULSE.margin - (value / most) * (PULSE.height - 2 * PULSE.margin);
    const points = this.pulse.map((value, x) => `${x},${y(value).toFixed(1)}`).join(" ");
    element(this.root, "polyline").setAttribute("points", points);
  }

  private showFeatures(): void {
    const { offered, negotiated, model } = this.attached.device;
    const key = negotiated?.toString() ?? "";
    const list = element(this.root, ".features");
    if (list.dataset.negotiated === key) return;
    list.dataset.negotiated = key;
    const items = offered.names(model.deviceType).map((name) => {
      const item = document.createElement("li");
      item.textContent = name;
      item.dataset.negotiated = `${negotiated?.has(name, model.deviceType) ?? false}`;
      return item;
    });
    list.replaceChildren(...items.sort((a, b) => rank(a) - rank(b)));
  }

  private text(selector: string, text: string): void {
    const node = element(this.root, selector);
    if (node.textContent !== text) node.textContent = text;
  }
}

const rank = ({ dataset }: HTMLElement): number => (dataset.negotiated === "true" ? 0 : 1);
