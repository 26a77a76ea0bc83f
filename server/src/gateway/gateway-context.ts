import type { ResumeSecrets } from "../auth/resume-secret.ts";
import type { Clock } from "../clock.ts";
import type { ResolvedConfig } from "../config/resolved-config.ts";
import type { AppHub } from "../hub/app-hub.ts";
import type { ClusterPresence } from "../hub/cluster-presence.ts";
import type { ClusterSessions } from "../hub/cluster-sessions.ts";
import type { Credentials, Session } from "../hub/session.ts";
import type { Counters } from "../observe/counters.ts";
import type { Log } from "../observe/log.ts";
import type { Router } from "../router/router.ts";
import type { Admission } from "./admission.ts";
import type { FlushScheduler } from "./flush-scheduler.ts";

/** One app, as the gateway sees it. */
export interface GatewayApp {
  readonly hub: AppHub;
  readonly router: Router<Session>;
  /** Undefined: this node is alone. */
  readonly sessions: ClusterSessions | undefined;
  readonly presence: ClusterPresence | undefined;
  /** Exact origins, or `*`. */
  readonly allowedOrigins: readonly string[];
  /** Clock difference that is tolerated in tokens, in seconds. */
  readonly leewayS: number;
}

/** What every connection of a node shares. */
export interface GatewayContext {
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  readonly scheduler: FlushScheduler;
  readonly admission: Admission;
  readonly resumeSecrets: ResumeSecrets;
  readonly apps: ReadonlyMap<string, GatewayApp>;
  /**
   * Verifies a player's token, and that neither it nor the player is kept out.
   * @throws FanfareError UNAUTHENTICATED, TOKEN_EXPIRED, TOKEN_REVOKED, BANNED, UNAVAILABLE
   */
  readonly authenticate: (token: string) => Promise<Credentials>;
  /**
   * Looks again whether a player is kept out, at once.
   * @throws FanfareError TOKEN_REVOKED, BANNED
   */
  readonly checkStanding: (credentials: Credentials) => void;
}

/** The features this server speaks. `resume` and `hand_over` only with a resume window. */
export function serverFeatures(config: ResolvedConfig): readonly string[] {
  const always = ["presence", "report", "server_rpc", "durable", "history", "cursor"];
  return config.timing.resumeWindowMs > 0 ? ["resume", "hand_over", ...always] : always;
}
