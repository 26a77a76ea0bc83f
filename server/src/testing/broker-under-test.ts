import type { Broker } from "../broker/broker.ts";
import type { AppChannel } from "../broker/route-store.ts";

/** Brokers of several nodes of one cluster, to hold against the contracts. */
export interface BrokerUnderTest extends AsyncDisposable {
  /** Two nodes. */
  readonly nodes: readonly [Broker, Broker];
  /** Lets so much time pass for the broker: a virtual clock is moved, a real one waited for. */
  elapse(ms: number): Promise<void>;
  nowMs(): number;
}

let made = 0;

/** A name that no test has used. */
export function newName(what: string): string {
  return `${what}-${++made}`;
}

/** A channel that no test has used. */
export function newAppChannel(appId = "game"): AppChannel {
  return { appId, key: `g:chat:${++made}` };
}
