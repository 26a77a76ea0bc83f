import type { Channel } from "./channel/channel.ts";
import type { RoundTrip } from "./connection/link.ts";
import type { FanfareError } from "./error.ts";
import type { GoawayReason, SubscriptionCloseReason } from "./wire/schema.ts";

/** Where the client stands. `moving` is connected, too. */
export type ConnectionStatus = "connecting" | "open" | "moving" | "waiting" | "suspended" | "closed";

/** Everything that happens to a client outside its channels. */
export type StatusEvent =
  /** A connection is being opened; `attempt` counts from 1 since one was last stable. */
  | { readonly type: "connecting"; readonly attempt: number }
  /** The session is connected. `resumed`: it is the former one; otherwise subscriptions were opened anew. */
  | { readonly type: "open"; readonly resumed: boolean; readonly sessionId: string; readonly nodeId: string }
  /** The server sends the client away; it serves on until the next connection stands. */
  | { readonly type: "moving"; readonly reason: GoawayReason }
  /** The next attempt comes after `delayMs`; `error` says why the last connection ended. */
  | { readonly type: "waiting"; readonly delayMs: number; readonly error: FanfareError | undefined }
  /** The program is frozen; the client comes back when it runs again. */
  | { readonly type: "suspended" }
  /** The end; without an error, because `close` was called. */
  | { readonly type: "closed"; readonly error: FanfareError | undefined }
  /** The server took a new token. */
  | { readonly type: "token-refreshed"; readonly expiresAt: Date }
  /** A heartbeat was answered. */
  | ({ readonly type: "latency" } & Readonly<RoundTrip>)
  /** The server dropped so many volatile messages, because this client reads too slowly. */
  | { readonly type: "dropped"; readonly count: number }
  /** The server subscribed this session to a group, because the player is a member. */
  | { readonly type: "channel-opened"; readonly channel: Channel }
  /** A subscription is over, and not because `leave` was called. */
  | {
      readonly type: "channel-closed";
      readonly channel: Channel;
      readonly reason: SubscriptionCloseReason;
      readonly error: FanfareError | undefined;
    }
  /**
   * Something failed that no caller waits for. `server`: it reported an error that belongs to no request, for instance about a `send`.
   * `payload`: a message is not of the type it names. `callback`: a callback of the program threw. `token`: `getToken` failed, or
   * the server refused a token that was to replace the one in use.
   */
  | {
      readonly type: "error";
      readonly source: "server" | "payload" | "callback" | "token";
      readonly error: FanfareError;
    };
