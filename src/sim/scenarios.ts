/** All scenes by name, and how one is played. */
import { nearest, VirtioError } from "../errors";
import { type Scene, type SceneReport, Stage } from "./scene";
import { BALLOON_SCENES } from "./scenes/balloon";
import { LEGACY_SCENES } from "./scenes/legacy";
import { LIFE_SCENES } from "./scenes/life";
import { NEGOTIATION_SCENES } from "./scenes/negotiation";
import { NET_SCENES } from "./scenes/net";

/** Name of the JSON form; it changes whenever the form does. */
export const SCENARIO_SCHEMA = "virtq.scenario/1";

/** The JSON form: one object, whatever the number of scenes. */
export interface ScenarioDocument {
  readonly schema: typeof SCENARIO_SCHEMA;
  readonly scenarios: readonly SceneReport[];
}

/** The scenes of the seed, in the order in which they are best read. */
export const SCENES: readonly Scene[] = [
  ...NET_SCENES,
  ...BALLOON_SCENES,
  ...NEGOTIATION_SCENES,
  ...LEGACY_SCENES,
  ...LIFE_SCENES,
];

/**
 * Plays a scene.
 *
 * @param scene one of SCENES by name, or the user's own
 * @returns what came of it; an ending that didn't come is a result
 * @throws VirtioError UNKNOWN_NAME naming the nearest
 */
export async function runScenario(scene: Scene | string): Promise<SceneReport> {
  const found = typeof scene === "string" ? sceneByName(scene) : scene;
  const stage = await Stage.open();
  await found.play(stage);
  return stage.report(found);
}

function sceneByName(name: string): Scene {
  const found = SCENES.find((scene) => scene.name === name);
  if (found !== undefined) return found;
  const names = SCENES.map((scene) => scene.name);
  const hint = nearest(name, names);
  const text = `no scenario is called "${name}"`;
  const rest = hint === undefined ? `; there are: ${names.join(", ")}` : `: did you mean ${hint}?`;
  throw new VirtioError("UNKNOWN_NAME", text + rest);
}
