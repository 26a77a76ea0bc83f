import { Access, type ChannelRules } from "@fanfare/proto/config/v1";
import { type Channel, ErrorCode } from "@fanfare/proto/v1";
import { keyOf, namespaceOf } from "./channel.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";

/** The rules of a group's namespace. @throws Refusal UNKNOWN_NAMESPACE */
export function rulesOf(session: Session, group: string, field: string): ChannelRules {
  const name = namespaceOf(group);
  const rules = session.app.namespaces.get(name);
  if (rules !== undefined) return rules;
  const denied = field.startsWith("publish") && session.app.breaks.has("unknown-namespace-as-denied");
  const code = denied ? ErrorCode.PERMISSION_DENIED : ErrorCode.UNKNOWN_NAMESPACE;
  throw new Refusal(code, `there is no namespace ${name}`, field);
}

/** @throws Refusal when the session may not subscribe the channel */
export function checkSubscribe(session: Session, channel: Channel, field: string): void {
  const { kind } = channel;
  const { breaks } = session.app;
  if (kind.case === "broadcast") return;
  if (kind.case === "player") {
    if (kind.value === session.player || breaks.has("other-players-channels")) return;
    throw denied(field);
  }
  const { subscribe } = rulesOf(session, kind.value ?? "", field);
  if (subscribe === Access.NOBODY && breaks.has("owed-refused-again")) throw denied(field);
  if (subscribe === Access.ANYONE || session.isServers(channel) || breaks.has("members-only-open")) return;
  if (!isCapable(session, "subscribe", channel)) throw denied(field);
}

/** @throws Refusal when the session may not ask who is in the channel: it may neither subscribe it nor has a capability `presence` */
export function checkAsk(session: Session, channel: Channel): void {
  const { kind } = channel;
  const field = "presence.channel";
  if (kind.case === "group") rulesOf(session, kind.value, field);
  if (isCapable(session, "presence", channel) && !session.app.breaks.has("presence-capability-ignored")) return;
  checkSubscribe(session, channel, field);
}

/** @throws Refusal when the session may not publish there */
export function checkPublish(session: Session, channel: Channel): void {
  const { kind } = channel;
  const field = "publish.channel";
  if (kind.case === "player" || session.app.breaks.has("publish-unchecked")) return;
  if (kind.case === "group") {
    const { publish } = rulesOf(session, kind.value, `${field}.group`);
    if (publish === Access.ANYONE) return;
    if (publish === Access.MEMBERS && session.isServers(channel)) return;
    if (publish === Access.SUBSCRIBERS && session.subscriptions.has(keyOf(channel))) return;
  }
  if (!isCapable(session, "publish", channel)) throw denied(field);
}

function isCapable(session: Session, verb: string, { kind }: Channel): boolean {
  if (session.app.breaks.has("capabilities-ignored")) return false;
  const patterns = session.claims.caps
    .filter((one) => one.startsWith(`${verb}:`))
    .map((one) => one.slice(verb.length + 1));
  if (kind.case === "broadcast") return patterns.includes("broadcast");
  if (kind.case === "player") return patterns.includes("player/*") || patterns.includes(`player/${kind.value}`);
  return patterns.some((pattern) => {
    if (pattern === "broadcast" || pattern.startsWith("player/")) return false;
    return pattern.endsWith("*") ? kind.value?.startsWith(pattern.slice(0, -1)) : pattern === kind.value;
  });
}

function denied(field: string): Refusal {
  return new Refusal(ErrorCode.PERMISSION_DENIED, "the player may not do this", field);
}
