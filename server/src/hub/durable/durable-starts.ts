import { type Channel, DeliveryClass, ErrorCode, type Subscribe } from "@fanfare/proto/v1";
import type { ChannelPolicy } from "../../config/channel-policy.ts";
import { FanfareError } from "../../fanfare-error.ts";
import type { CoalescedCursors } from "../../log/coalesced-cursors.ts";
import type { MessageLog } from "../../log/message-log.ts";
import { channelKey } from "../../wire/channel-key.ts";
import { planStart, type StartPlan } from "./start-plan.ts";

/** A place that a client does not name. */
export const unnamedStart: Subscribe["start"] = { case: undefined };

/** Who subscribes what, and from where. */
export interface StartWish {
  readonly channel: Channel;
  readonly playerId: string;
  readonly features: ReadonlySet<string>;
  readonly start: Subscribe["start"];
  readonly isResume: boolean;
}

/** Finds out where durable subscriptions of one app begin. */
export class DurableStarts {
  readonly #appId: string;
  readonly #messageLog: MessageLog;
  readonly #cursors: CoalescedCursors;
  readonly #policyFor: (channel: Channel) => ChannelPolicy | undefined;

  constructor(
    appId: string,
    messageLog: MessageLog,
    cursors: CoalescedCursors,
    policyFor: (channel: Channel) => ChannelPolicy | undefined,
  ) {
    this.#appId = appId;
    this.#messageLog = messageLog;
    this.#cursors = cursors;
    this.#policyFor = policyFor;
  }

  /** Whether a client with these features is served the channel as a durable one. */
  inForce(channel: Channel, features: ReadonlySet<string>): boolean {
    return features.has("durable") && this.#policyFor(channel)?.deliveryClass === DeliveryClass.DURABLE;
  }

  /** @throws FanfareError INVALID_ARGUMENT for a start that the namespace does not allow */
  check(channel: Channel, start: Subscribe["start"]): void {
    const maxRewind = this.#policyFor(channel)?.maxRewind ?? 0;
    if (start.case !== "rewind" || start.value <= maxRewind) return;
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `the namespace allows to rewind ${maxRewind} messages`, {
      field: "subscribe.rewind",
    });
  }

  /** @throws FanfareError as `check`, and UNAVAILABLE if the log cannot be read */
  async plan({ channel, playerId, features, start, isResume }: StartWish): Promise<StartPlan> {
    const policy = this.#policyFor(channel);
    if (policy === undefined) throw new FanfareError(ErrorCode.UNKNOWN_NAMESPACE, "the namespace is gone");
    this.check(channel, start);
    const withCursor = start.case === "cursor" && !features.has("cursor") ? unnamedStart : start;
    const logChannel = { appId: this.#appId, key: channelKey(channel) };
    return planStart(this.#messageLog, this.#cursors, {
      channel: logChannel,
      policy,
      playerId,
      start: withCursor,
      isResume,
    });
  }
}
