import { openFanfareFleet } from "../load/fanfare-fleet.ts";
import type { Fleet } from "../load/fleet.ts";
import { openPlainFleet } from "../load/plain-fleet.ts";
import type { ContenderName } from "../options.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import type { Ready } from "./messages.ts";

/** How the load process starts a contender and connects to it. */
export interface Contender {
  /** Its server's entry point in this folder. */
  readonly file: string;
  readonly openFleet: (scenario: Scenario, ready: Ready) => Promise<Fleet>;
}

export const catalog: Readonly<Record<ContenderName, Contender>> = {
  floor: { file: "./floor.ts", openFleet: (scenario, ready) => openPlainFleet(scenario, ready, "server-frames") },
  ws: { file: "./ws.ts", openFleet: (scenario, ready) => openPlainFleet(scenario, ready, "payload") },
  fanfare: { file: "./fanfare.ts", openFleet: openFanfareFleet },
};
