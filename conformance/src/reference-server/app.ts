import type { ChannelRules } from "@fanfare/proto/config/v1";
import { type Channel, type CloseCode, DeliveryClass } from "@fanfare/proto/v1";
import type { Breaks } from "../mutants/mutants.ts";
import { type ChannelTable, keyOf, namespaceOf } from "./channel.ts";
import type { ChannelLog } from "./durable/channel-log.ts";
import { LogTable } from "./durable/log-table.ts";
import { Members } from "./members.ts";
import { leavePresence } from "./presence.ts";
import type { Session } from "./session.ts";
import type { Settings } from "./settings.ts";

/** Why a session leaves presence. */
export type LeaveCause = "left" | "timeout" | "kicked";

/** A tenant: its sessions and channels. */
export class App {
  readonly id: string;
  readonly settings: Settings;
  readonly namespaces: Map<string, ChannelRules>;
  readonly breaks: Breaks;
  readonly channels: ChannelTable;
  readonly logs: LogTable;
  readonly members = new Members();
  readonly sessions = new Map<string, Session>();
  /** Close codes of sessions that were ended, for the resume window. */
  readonly tombstones = new Map<string, CloseCode>();
  /** Until when players are banned, in milliseconds. */
  readonly bans = new Map<string, number>();
  /** Tokens of a player that were issued before a time, in milliseconds, are revoked. */
  readonly revocations = new Map<string, number>();

  constructor(id: string, settings: Settings, breaks: Breaks, channels: ChannelTable) {
    this.id = id;
    this.settings = settings;
    this.namespaces = new Map(settings.apps.get(id));
    this.breaks = breaks;
    this.channels = channels;
    this.logs = new LogTable(breaks);
  }

  sessionsOf(player: string): Session[] {
    return [...this.sessions.values()].filter((session) => session.player === player);
  }

  isDurable({ kind }: Channel): boolean {
    if (kind.case !== "group") return false;
    return this.namespaces.get(namespaceOf(kind.value))?.deliveryClass === DeliveryClass.DURABLE;
  }

  /** The log of a durable channel. */
  durable(channel: Channel): { log: ChannelLog; maxRewind: number } {
    const group = channel.kind.case === "group" ? channel.kind.value : "";
    const { retention, maxRewind = 0 } = this.namespaces.get(namespaceOf(group)) ?? {};
    return { log: this.logs.open(keyOf(channel), retention), maxRewind };
  }

  isBanned(player: string): boolean {
    return (this.bans.get(player) ?? 0) > Date.now();
  }

  isRevoked({ player, issuedAtMs }: { player: string; issuedAtMs: number }): boolean {
    return issuedAtMs < (this.revocations.get(player) ?? 0);
  }

  /** The connection is gone, and the session waits for its resume, if it can. */
  detach(session: Session): void {
    session.connection = undefined;
    if (!session.features.has("resume") || this.breaks.has("lost-connection-ends-session"))
      return this.end(session, this.breaks.has("loss-told-as-left") ? "left" : "timeout");
    if (this.breaks.has("detached-leave-at-once")) {
      for (const { channel } of session.subscriptions.values()) leavePresence(this, session, channel, "timeout");
    }
    if (this.breaks.has("window-never-ends")) return;
    const windowMs = this.settings.timing.resumeWindowMs * (this.breaks.has("window-too-short") ? 0.4 : 1);
    session.window = setTimeout(() => this.end(session, "timeout"), windowMs);
    if (this.breaks.has("few-sessions-kept")) this.#keepFew(session.player);
  }

  #keepFew(player: string): void {
    const [oldest, ...others] = this.sessionsOf(player).filter(({ connection }) => connection === undefined);
    if (oldest !== undefined && others.length >= 4) this.end(oldest, "timeout");
  }

  /** The session is over. With a code, whoever resumes it within the window is told. */
  end(session: Session, cause: LeaveCause, tombstone?: CloseCode): void {
    if (session.ended) return;
    session.ended = true;
    clearTimeout(session.window);
    this.sessions.delete(session.id);
    if (tombstone !== undefined && !this.breaks.has("no-tombstone")) {
      this.tombstones.set(session.id, tombstone);
      const lastsMs = this.breaks.has("tombstone-too-short") ? 200 : this.settings.timing.resumeWindowMs;
      setTimeout(() => this.tombstones.delete(session.id), lastsMs).unref();
    }
    for (const { channel, reader } of [...session.subscriptions.values()]) {
      reader?.stop();
      this.channels.close(keyOf(channel), session);
      leavePresence(this, session, channel, cause);
    }
    session.subscriptions.clear();
  }
}
