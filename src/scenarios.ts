/** `virtq/scenarios`: the scenes of `virtq sim --scenario`, and the stage for one's own. */
export type { PairOptions } from "./sim/pair";
export { runScenario, SCENARIO_SCHEMA, SCENES, type ScenarioDocument } from "./sim/scenarios";
export type { Scene, SceneCheck, SceneReport, Stage, StagePair } from "./sim/scene";
