import { Access, Acknowledgement, BackendMode, type ChannelRules, PresenceMode } from "@fanfare/proto/config/v1";
import { DeliveryClass } from "@fanfare/proto/v1";
import type { ChannelKind } from "./channel-policy.ts";
import type { ConfigProblem } from "./config-error.ts";

/** What a node gives to its channels. */
export interface ChannelBounds {
  /** The node's `Limits.max_payload_bytes`. */
  readonly maxPayloadBytes: number;
  /** Durable channels are kept where there can be replicas: in Valkey. */
  readonly canReplicate: boolean;
}

/** The first rule between fields that a channel's rules break, its field relative to them; undefined if there is none. */
export function channelRulesProblem(
  rules: ChannelRules | undefined,
  kind: ChannelKind,
  { maxPayloadBytes, canReplicate }: ChannelBounds,
): ConfigProblem | undefined {
  if (rules === undefined) return undefined;
  return (
    unknownValue(rules) ??
    unimplemented(rules) ??
    (canReplicate ? undefined : strictProblem(rules)) ??
    accessProblem(rules, kind) ??
    durableOnly(rules) ??
    (rules.maxPayloadBytes > maxPayloadBytes
      ? {
          field: "max_payload_bytes",
          problem: `is greater than limits.max_payload_bytes, which is ${maxPayloadBytes}`,
          remedy: "lower it, or raise the limit",
        }
      : undefined)
  );
}

const enums = {
  deliveryClass: ["delivery_class", DeliveryClass],
  subscribe: ["subscribe", Access],
  publish: ["publish", Access],
  presence: ["presence", PresenceMode],
  acknowledgement: ["acknowledgement", Acknowledgement],
  backendPublish: ["backend_publish", BackendMode],
  backendSubscribe: ["backend_subscribe", BackendMode],
} as const;

/** Enum fields are open in Protobuf: a number that this version does not know must not be taken for a default. */
function unknownValue(rules: ChannelRules): ConfigProblem | undefined {
  for (const [name, [field, values]] of Object.entries(enums)) {
    const value = rules[name as keyof typeof enums];
    if ((values as Record<number, string>)[value] === undefined) {
      return { field, problem: `has the unknown value ${value}`, remedy: "use one that this version knows" };
    }
  }
  return undefined;
}

/** What the protocol has and this server does not do yet. Taking it silently would break a promise or open a door. */
function unimplemented(rules: ChannelRules): ConfigProblem | undefined {
  const remedy = "leave it out: this version of the server does not implement it";
  if (rules.backendPublish > BackendMode.DIRECT) {
    return { field: "backend_publish", problem: "takes the game's backend into the path", remedy };
  }
  if (rules.backendSubscribe > BackendMode.DIRECT) {
    return { field: "backend_subscribe", problem: "takes the game's backend into the path", remedy };
  }
  return undefined;
}

function strictProblem(rules: ChannelRules): ConfigProblem | undefined {
  const isStrict = rules.acknowledgement === Acknowledgement.REPLICA_STRICT;
  if (isStrict && rules.deliveryClass === DeliveryClass.DURABLE) {
    return {
      field: "acknowledgement",
      problem: "is ACKNOWLEDGEMENT_REPLICA_STRICT, and the log in memory has no replica: every publish would fail",
      remedy: "use ACKNOWLEDGEMENT_REPLICA, or keep the log in Valkey with `valkey`",
    };
  }
  return undefined;
}

function accessProblem(rules: ChannelRules, kind: ChannelKind): ConfigProblem | undefined {
  if (rules.subscribe === Access.SUBSCRIBERS) {
    return {
      field: "subscribe",
      problem: "is ACCESS_SUBSCRIBERS, which is for publishing only",
      remedy: "use ACCESS_MEMBERS or ACCESS_ANYONE",
    };
  }
  if (kind === "group") return undefined;
  const channel = kind === "player" ? "a player's own channel" : "broadcast";
  if (rules.subscribe !== Access.UNSPECIFIED && rules.subscribe !== Access.ANYONE) {
    return {
      field: "subscribe",
      problem: `cannot be changed for ${channel}: every session receives it`,
      remedy: "leave it out",
    };
  }
  if (rules.publish === Access.MEMBERS) {
    return {
      field: "publish",
      problem: `is ACCESS_MEMBERS, and ${channel} has no members`,
      remedy: "use ACCESS_NOBODY or ACCESS_ANYONE",
    };
  }
  return undefined;
}

/** Settings of the log have no effect on a live channel, where whoever wrote them expects messages to be kept. */
function durableOnly(rules: ChannelRules): ConfigProblem | undefined {
  if (rules.deliveryClass === DeliveryClass.DURABLE) return undefined;
  const field =
    rules.retention !== undefined
      ? "retention"
      : rules.acknowledgement !== 0
        ? "acknowledgement"
        : rules.maxRewind !== 0
          ? "max_rewind"
          : undefined;
  if (field === undefined) return undefined;
  return {
    field,
    problem: "is for durable channels, and this one is live",
    remedy: "leave it out, or set delivery_class to DELIVERY_CLASS_DURABLE",
  };
}
