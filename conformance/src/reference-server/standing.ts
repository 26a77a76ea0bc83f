import { type Channel, SubscriptionCloseReason } from "@fanfare/proto/v1";
import { checkSubscribe } from "./access.ts";
import type { App } from "./app.ts";
import { keyOf, namespaceOf } from "./channel.ts";
import { ownChannels } from "./open-subscriptions.ts";
import type { Session } from "./session.ts";
import { endSubscription, openOwn } from "./subscribe.ts";
import type { Claims } from "./verify-token.ts";

/** Applies what a new token says about groups and capabilities, and tells what that opens and closes. */
export function applyClaims(session: Session, claims: Claims): void {
  const { breaks } = session.app;
  if (breaks.has("refresh-without-effect")) return;
  const before = new Set(session.claims.groups);
  session.claims = breaks.has("permission-of-the-hello") ? { ...claims, caps: session.claims.caps } : claims;
  for (const { channel, byClient } of [...session.subscriptions.values()]) {
    const wasMember = channel.kind.case === "group" && before.has(channel.kind.value) && !session.isServers(channel);
    if (wasMember && !byClient) tellClosed(session, channel, SubscriptionCloseReason.LEFT);
    else closeForbidden(session, channel);
  }
  openOwed(session);
}

/** A player became a member of a group. */
export function joined(app: App, player: string): void {
  if (app.breaks.has("memberships-not-opened")) return;
  for (const session of app.sessionsOf(player)) if (session.connection !== undefined) openOwed(session);
}

/** A player is a member of a group no more. */
export function left(app: App, player: string, group: string): void {
  const { breaks } = app;
  if (breaks.has("ended-memberships-stay-open")) return;
  for (const session of app.sessionsOf(player)) {
    for (const { channel, byClient } of [...session.subscriptions.values()]) {
      if (channel.kind.case !== "group" || channel.kind.value !== group || session.isServers(channel)) continue;
      if (byClient && !breaks.has("asked-for-closed-too")) closeForbidden(session, channel);
      else tellClosed(session, channel, SubscriptionCloseReason.LEFT);
    }
  }
}

/** The rules of a namespace have changed, or it was removed. */
export function namespaceChanged(app: App, name: string): void {
  const { breaks } = app;
  const isGone = !app.namespaces.has(name);
  if (breaks.has(isGone ? "removed-namespace-goes-on" : "namespace-rules-of-the-subscribe")) return;
  for (const session of app.sessions.values()) {
    for (const { channel } of [...session.subscriptions.values()]) {
      if (channel.kind.case !== "group" || namespaceOf(channel.kind.value) !== name) continue;
      if (isGone) tellClosed(session, channel, SubscriptionCloseReason.NAMESPACE);
      else if (isOfAnotherClass(session, channel)) tellClosed(session, channel, SubscriptionCloseReason.FAILED);
      else closeForbidden(session, channel);
    }
    openOwed(session);
  }
}

/** It was opened as a channel of the other delivery class. */
function isOfAnotherClass(session: Session, channel: Channel): boolean {
  const { app, features, subscriptions } = session;
  if (app.breaks.has("other-class-goes-on") || !features.has("durable")) return false;
  return (subscriptions.get(keyOf(channel))?.reader !== undefined) !== app.isDurable(channel);
}

function openOwed(session: Session): void {
  for (const channel of ownChannels(session)) {
    if (session.subscriptions.has(keyOf(channel))) continue;
    const value = openOwn(session, channel, false);
    session.connection?.send({ case: "subscription", value: { channel, event: { case: "opened", value } } });
    session.subscriptions.get(keyOf(channel))?.reader?.wake();
  }
}

function closeForbidden(session: Session, channel: Channel): void {
  try {
    checkSubscribe(session, channel, "");
  } catch {
    tellClosed(session, channel, SubscriptionCloseReason.PERMISSION);
  }
}

function tellClosed(session: Session, channel: Channel, reason: SubscriptionCloseReason): void {
  endSubscription(session, channel, "kicked");
  session.connection?.send({ case: "subscription", value: { channel, event: { case: "closed", value: { reason } } } });
}
