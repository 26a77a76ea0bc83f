import type { FanfareError } from "../error.ts";
import type { StatusEvent } from "../status.ts";
import type { Init } from "../wire/codec.ts";
import type { Reply, Rpc, ServerFrame, Subscribe, Welcome } from "../wire/schema.ts";
import type { Link } from "./link.ts";

/** What the rest of the client does for, and learns from, its connections. */
export interface ConnectorEvents {
  status(event: StatusEvent): void;
  /** The subscriptions to name in a `hello`, which goes out now. `handOver`: it takes the session here from a connection that stands. */
  subscriptions(handOver: boolean): Init<Subscribe>[];
  /** A `welcome`, before anything is sent on its connection. `fresh`: of a new session. */
  welcomed(link: Link, welcome: Welcome, fresh: boolean): void;
  /** What `welcome` says about subscriptions: at once, or when the connection takes over. */
  subscribed(welcome: Welcome, fresh: boolean): void;
  /** Requests and publishes go out here. */
  attached(link: Link, fresh: boolean): void;
  /** Publishes go out here as soon as the old connection owes no answer. */
  moving(link: Link): void;
  lost(link: Link): void;
  reply(id: number, reply: Reply): void;
  /** Sends a new token; resolves with when it expires, in milliseconds by the server's clock. */
  refresh(token: string): Promise<number>;
  rpc(link: Link, id: number, rpc: Rpc): void;
  /** Everything that is delivered in order: messages, skips, presence, subscriptions. */
  deliver(frame: ServerFrame): void;
  /** Every live subscription may have missed something. */
  missed(): void;
  finished(error: FanfareError | undefined): void;
}
