import { create } from "@bufbuild/protobuf";
import {
  Access,
  Acknowledgement,
  BackendMode,
  type ChannelRules,
  ChannelRulesSchema,
  PresenceMode,
} from "@fanfare/proto/config/v1";
import { DeliveryClass } from "@fanfare/proto/v1";

/** The rules of a kind of channel with every default filled in: no enum is UNSPECIFIED. */
export interface ChannelPolicy {
  readonly deliveryClass: DeliveryClass;
  readonly subscribe: Access;
  readonly publish: Access;
  readonly presence: PresenceMode;
  readonly retention: ResolvedRetention;
  readonly acknowledgement: Acknowledgement;
  /** Most messages of a rewind; 0: none. */
  readonly maxRewind: number;
  /** Bytes of a payload; never more than `Limits.max_payload_bytes`. */
  readonly maxPayloadBytes: number;
  /** Publishes a second of one session into one channel; 0: no limit of its own. */
  readonly publishesPerSecond: number;
  /** Sessions in presence from which on counts alone are told. */
  readonly maxPresenceMembers: number;
  readonly backendPublish: BackendMode;
  readonly backendSubscribe: BackendMode;
}

/** What a durable channel keeps. */
export interface ResolvedRetention {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly maxAgeS: number;
}

/** A group's rules begin from MEMBERS; a player's own channel and broadcast are received by whoever they are for. */
export type ChannelKind = "group" | "player" | "broadcast";

/**
 * Fills in the defaults that the comments of `namespace.proto` name.
 * @param maxPayloadBytes the node's `Limits.max_payload_bytes`
 */
export function resolveChannelPolicy(
  rules: ChannelRules | undefined,
  kind: ChannelKind,
  maxPayloadBytes: number,
): ChannelPolicy {
  return Object.freeze({
    deliveryClass: rules?.deliveryClass || DeliveryClass.LIVE,
    subscribe: rules?.subscribe || (kind === "group" ? Access.MEMBERS : Access.ANYONE),
    publish: rules?.publish || Access.NOBODY,
    presence: rules?.presence || PresenceMode.OFF,
    retention: Object.freeze({
      maxMessages: rules?.retention?.maxMessages || 1000,
      maxBytes: Number(rules?.retention?.maxBytes || 8n * 1024n * 1024n),
      maxAgeS: rules?.retention?.maxAgeS || 24 * 60 * 60,
    }),
    acknowledgement: rules?.acknowledgement || Acknowledgement.REPLICA,
    maxRewind: rules?.maxRewind ?? 0,
    maxPayloadBytes: Math.min(rules?.maxPayloadBytes || maxPayloadBytes, maxPayloadBytes),
    publishesPerSecond: rules?.publishesPerSecond ?? 0,
    maxPresenceMembers: rules?.maxPresenceMembers || 1000,
    backendPublish: rules?.backendPublish || BackendMode.DIRECT,
    backendSubscribe: rules?.backendSubscribe || BackendMode.DIRECT,
  });
}

/** The rules that resolve to this policy, with every field set that means something for its delivery class. */
export function rulesOf(policy: ChannelPolicy): ChannelRules {
  const { retention, acknowledgement, maxRewind, ...rest } = policy;
  if (policy.deliveryClass !== DeliveryClass.DURABLE) return create(ChannelRulesSchema, rest);
  return create(ChannelRulesSchema, {
    ...rest,
    acknowledgement,
    maxRewind,
    retention: { ...retention, maxBytes: BigInt(retention.maxBytes) },
  });
}
