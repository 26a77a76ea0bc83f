export type { Channel, MessagesOptions } from "./channel/channel.ts";
export type { ChannelClosed, ChannelGap } from "./channel/channel-core.ts";
export type { DeliveryReport, Destination, PublishOptions, SendOptions, Sent } from "./channel/destination.ts";
export type { HistoryOptions, HistoryPage, StoredMessage } from "./channel/history.ts";
export type { LogPosition } from "./channel/log-position.ts";
export type { MessageMeta } from "./channel/message-meta.ts";
export type { Overflow, QueueOptions, Received } from "./channel/message-queue.ts";
export type { MessageStream } from "./channel/message-stream.ts";
export type { StartFrom } from "./channel/start.ts";
export type { Target } from "./channel/target.ts";
export type { Client } from "./client.ts";
export type { TappedFrame } from "./connection/frame-tap.ts";
export type { RoundTrip } from "./connection/link.ts";
export type { TokenReason } from "./connection/states.ts";
export { FanfareError, type FanfareErrorOptions } from "./error.ts";
export type { ConnectOptions, TokenRequest } from "./options.ts";
export {
  anyPayload,
  bytes,
  type Codec,
  type InputOf,
  json,
  type Payload,
  type PayloadType,
  type TypedValue,
  text,
  typed,
  type ValueOf,
} from "./payload.ts";
export type { PresencePage, PresenceQueryOptions } from "./presence/presence-page.ts";
export type { PresenceMember, Roster, RosterEvent } from "./presence/roster.ts";
export type { WaitOptions } from "./requests.ts";
export type { CallContext, MethodTypes } from "./rpc-handlers.ts";
export type { ServerInfo, ServerLimits } from "./server-info.ts";
export type { ConnectionStatus, StatusEvent } from "./status.ts";
export type { JoinOptions } from "./subscriptions.ts";
export {
  DeliveryClass,
  ErrorCode,
  GapReason,
  GoawayReason,
  LeaveReason,
  Outcome,
  SubscriptionCloseReason,
} from "./wire/schema.ts";
