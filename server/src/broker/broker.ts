import type { BrokerHealth } from "./broker-health.ts";
import type { Lanes } from "./lanes.ts";
import type { MembershipStore } from "./membership-store.ts";
import type { Registry } from "./registry.ts";
import type { RouteStore } from "./route-store.ts";
import type { SessionStore } from "./session-store.ts";
import type { SettingsStore } from "./settings-store.ts";
import type { StandingStore } from "./standing-store.ts";

/**
 * What connects the nodes of a cluster and keeps what they share. A node without one is alone, and keeps all of it in memory.
 *
 * Every method that returns a promise rejects with a FanfareError: UNAVAILABLE if the broker, or the shard in question, is out of reach. Where it is
 * not said otherwise, a change that was rejected may still be carried out, and trying it again does no harm.
 */
export interface Broker extends AsyncDisposable {
  readonly health: BrokerHealth;
  readonly lanes: Lanes;
  readonly registry: Registry;
  readonly routes: RouteStore;
  readonly sessions: SessionStore;
  readonly memberships: MembershipStore;
  readonly standing: StandingStore;
  readonly settings: SettingsStore;
}
