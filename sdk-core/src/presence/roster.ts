import { Listeners, type ReportThrown } from "../listeners.ts";
import { decodePayload, fromWirePayload, type Payload, type PayloadType, type ValueOf } from "../payload.ts";
import type { LeaveReason, PresenceEvent, PresenceMember as WireMember } from "../wire/schema.ts";
import { RosterState } from "./roster-state.ts";

/** One session that is present in a channel. */
export class PresenceMember {
  /** Whose session it is. */
  readonly playerId: string;
  /** The session's origin, as in its messages: {@link MessageMeta.origin}. */
  readonly origin: bigint;
  /** What the session shows beside the player, as it travels. */
  readonly payload: Payload;

  /** @internal */
  constructor(member: WireMember) {
    this.playerId = member.playerId;
    this.origin = member.origin;
    this.payload = fromWirePayload(member.data);
  }

  /** What the session shows: the value of JSON data, the string of text, the bytes of anything else. Undefined if unreadable. */
  get data(): unknown {
    const { json, text, binary } = this.payload;
    if (json === undefined) return text ?? binary;
    try {
      return JSON.parse(json);
    } catch {
      return undefined;
    }
  }

  /** What the session shows, by its type. Throws MALFORMED if it is of another one. */
  read<S extends PayloadType>(type: S): ValueOf<S> {
    return decodePayload(type, this.payload);
  }
}

/**
 * Somebody came, changed what they show, or went; the whole list was brought up to date; or the channel is too large for lists: there are
 * numbers alone, and no members until it is `synced` again.
 */
export type RosterEvent =
  | { readonly type: "joined" | "updated"; readonly member: PresenceMember }
  | { readonly type: "left"; readonly member: PresenceMember; readonly reason: LeaveReason }
  | { readonly type: "synced" }
  | { readonly type: "counts"; readonly sessions: number; readonly players: number };

/** A channel's list of who is present, kept up to date. Iterating gives the members. */
export class Roster implements Iterable<PresenceMember> {
  #state = new RosterState();
  readonly #members = new Map<bigint, PresenceMember>();
  readonly #listeners = new Listeners<RosterEvent>();
  readonly #report: ReportThrown;

  /** @internal */
  constructor(report: ReportThrown) {
    this.#report = report;
  }

  /** Whether the list is complete. False until the first snapshot, and again after a reconnect until the next one. */
  get complete(): boolean {
    return this.#state.complete;
  }

  /** Sessions present. */
  get sessions(): number {
    return this.#state.counts?.sessions ?? this.#members.size;
  }

  /** Different players among them. */
  get players(): number {
    if (this.#state.counts !== undefined) return this.#state.counts.players;
    return new Set(Array.from(this.#members.values(), (member) => member.playerId)).size;
  }

  /** The channel is too large for lists: the server sends counts alone, and there are no members here. */
  get countsOnly(): boolean {
    return this.#state.counts !== undefined;
  }

  /** The member with this origin. */
  get(origin: bigint): PresenceMember | undefined {
    return this.#members.get(origin);
  }

  [Symbol.iterator](): IterableIterator<PresenceMember> {
    return this.#members.values();
  }

  /** Tells every change. The returned function ends it. */
  on(event: "change", callback: (change: RosterEvent) => unknown): () => void {
    void event;
    return this.#listeners.add(callback);
  }

  /** The server will send everything anew, or, not `told`, nothing any more. @internal */
  reset(told: boolean): void {
    if (told) return this.#state.reset();
    this.#state = new RosterState();
    this.#members.clear();
  }

  /** Returns whether a new snapshot has to be asked for. @internal */
  apply(event: PresenceEvent): boolean {
    const wasComplete = this.complete && !this.countsOnly;
    const { changes, resync } = this.#state.apply(event);
    for (const change of changes) {
      const member = new PresenceMember(change.member);
      if (change.type === "left") this.#members.delete(member.origin);
      else this.#members.set(member.origin, member);
      this.#listeners.emit({ ...change, member }, this.#report);
    }
    if (event.counts !== undefined) {
      this.#members.clear();
      this.#listeners.emit({ type: "counts", sessions: this.sessions, players: this.players }, this.#report);
    } else if (this.complete && !this.countsOnly && !wasComplete)
      this.#listeners.emit({ type: "synced" }, this.#report);
    return resync;
  }
}
