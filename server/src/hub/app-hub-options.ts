import type { Clock } from "../clock.ts";
import type { ResolvedLimits } from "../config/resolved-limits.ts";
import type { ResolvedTiming } from "../config/resolved-timing.ts";
import type { CoalescedCursors } from "../log/coalesced-cursors.ts";
import type { MessageLog } from "../log/message-log.ts";
import type { NamespaceRegistry } from "../namespace/namespace-registry.ts";
import type { Counters } from "../observe/counters.ts";
import type { Log } from "../observe/log.ts";
import type { ChannelRoutes } from "./channel-table.ts";
import type { ClusterPresence } from "./cluster-presence.ts";
import type { FanOut } from "./fan-out.ts";

/** What a hub is made of. */
export interface AppHubOptions {
  readonly appId: string;
  readonly namespaces: NamespaceRegistry;
  readonly clock: Clock;
  readonly timing: ResolvedTiming;
  readonly limits: ResolvedLimits;
  readonly counters: Counters;
  readonly fanOut: FanOut;
  readonly messageLog: MessageLog;
  readonly cursors: CoalescedCursors;
  readonly log: Log;
  /** Names this node's presence sections; the node's incarnation. */
  readonly section: bigint;
  /** A new random id of 64 bits, not 0. */
  readonly randomOrigin: () => bigint;
  /** A new random session id. */
  readonly randomSessionId: () => string;
  /** Puts this node on the routes of its channels; undefined: it is alone. */
  readonly routes?: ChannelRoutes | undefined;
  /** Undefined: this node is alone. */
  readonly clusterPresence?: ClusterPresence | undefined;
}
