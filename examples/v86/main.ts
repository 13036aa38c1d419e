/** The page: loads the guest, gives it our devices, runs it, and shows what they do. */
import { version as v86Found } from "v86/package.json";
import { version } from "../../package.json";
import { actionsFor } from "./actions";
import { DeviceCard } from "./device-card";
import { downloadImages } from "./download";
import { element } from "./element";
import { failureOf, showFailure } from "./failure";
import { READY } from "./guest-init";
import { type Machine, makeMachine } from "./machine";
import { Status } from "./status";
import { Terminal } from "./terminal";

/** Milliseconds between two looks at the counters. */
const PACE = 250;
/** How the kernel's log begins. */
const KERNEL = "Linux version";

const status = new Status();
const cards = new Map<string, DeviceCard>();
const actions = element<HTMLElement>(document, "#actions");
let machine: Machine | undefined;
let serialLine = "";
/** The guest has written to its console. */
let isConsoleOpen = false;

const terminal = new Terminal({
  onInput: (text) => void machine?.console.input(new TextEncoder().encode(text)),
  onResize: (columns, rows) => machine?.console.resize(columns, rows),
});

/** Shows the kernel's log, and sees in it how far the guest is. */
function heardSerial(character: string): void {
  terminal.write(character);
  if (character !== "\n") serialLine += character;
  else {
    if (serialLine.includes(KERNEL)) showState("booting");
    if (serialLine.trim() === READY) showState("running");
    serialLine = "";
  }
}

/** Shows what the guest writes; Linux learns the console's size by its changes alone, so it is told once it listens. */
function heardConsole(text: string): void {
  if (!isConsoleOpen) terminal.measure();
  isConsoleOpen = true;
  terminal.write(text);
}

function showState(state: Status["state"]): void {
  status.show(state);
  terminal.enabled = state === "running";
  actions.querySelectorAll("button").forEach((button) => {
    button.disabled = state !== "running";
  });
}

function showDevices({ attachment }: Machine): void {
  const template = element<HTMLTemplateElement>(document, "#card");
  for (const device of attachment.devices) {
    const card = new DeviceCard(device, template);
    cards.set(device.name, card);
    element(document, "#devices").append(card.root);
  }
  for (const { label, title, command } of actionsFor(attachment)) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: label, title });
    button.addEventListener("click", () => terminal.run(command));
    actions.append(button);
  }
}

element(document, "#versions").textContent = `virtq ${version} · v86 ${v86Found}`;
try {
  const images = await downloadImages("guest/", (loaded, total) => status.loaded(loaded, total));
  machine = await makeMachine(images, {
    onSerial: heardSerial,
    onConsole: heardConsole,
    onLayout: (device, layout) => cards.get(device)?.settled(layout),
  });
  showDevices(machine);
  showState("firmware");
  setInterval(() => {
    status.tick();
    for (const card of cards.values()) card.update();
  }, PACE);
  await machine.emulator.run();
} catch (error) {
  console.error(error);
  showFailure(failureOf(error, v86Found));
}
